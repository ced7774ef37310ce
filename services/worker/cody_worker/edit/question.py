"""What is asked about one file."""

import hashlib

import msgspec
from msgspec import Struct

from cody_jobs.models import JobType
from cody_jobs.plan import Extent, Plan
from cody_worker.claude.edit_protocol import PROTOCOL_VERSION, Task, stable_bytes
from cody_worker.guards import GuardRules
from cody_worker.windows import View, first_view

_REGULAR = 0o100644


class FileQuestion(Struct, frozen=True, kw_only=True):
    """`path` is the file's in its repository, `data` its bytes; `model` is the one that is asked. Without a `plan`, the
    prompt says it all. `matches` are the lines of the plan's matches, from 1 on. `note` is said after the file."""

    path: str
    data: bytes
    prompt: str
    job_type: JobType
    model: str
    plan: Plan | None = None
    mode: int = _REGULAR
    matches: tuple[tuple[int, int], ...] = ()
    conventions: str = ""
    allow_paths: tuple[str, ...] = ()
    protect_paths: tuple[str, ...] = ()
    note: str = ""

    @property
    def task(self) -> Task:
        return Task(prompt=self.prompt, job_type=self.job_type, plan=self.plan, conventions=self.conventions)


def question_key(question: FileQuestion) -> str:
    """Hex SHA-256 of all that decides the answer: two files with one key need one call."""
    digest = hashlib.sha256()
    for part in (
        PROTOCOL_VERSION.encode(),
        question.model.encode(),
        stable_bytes(question.task),
        msgspec.json.encode([question.plan, question.matches, question.allow_paths, question.protect_paths]),
        question.note.encode("utf-8", "surrogatepass"),
        question.path.encode("utf-8", "surrogatepass"),
        question.mode.to_bytes(4),
        question.data,
    ):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def view_of(question: FileQuestion, text: str) -> View:
    """What is shown of the file at first. Blocking."""
    extent = question.plan.extent if question.plan is not None else Extent.FILE
    return first_view(question.path, text, question.matches, extent)


def guard_rules(question: FileQuestion) -> GuardRules:
    example = question.plan.example if question.plan is not None else None
    return GuardRules(
        protect=question.protect_paths,
        allow_paths=question.allow_paths,
        job_type=question.job_type,
        prompt=question.prompt,
        plan=question.plan.change if question.plan is not None else "",
        example=None if example is None else (example.before, example.after),
        matches=len(question.matches) or None,
    )
