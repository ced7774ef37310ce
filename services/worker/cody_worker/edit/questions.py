"""What is asked about the candidates of a repository, and which of them share a request."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.models import JobSpec
from cody_jobs.plan import Extent, Plan
from cody_worker.edit.group_files import group_files
from cody_worker.edit.question import FileQuestion, question_key, view_of
from cody_worker.file_text import read_text
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.scope import Candidate
from cody_worker.windows import View

AT_ONCE = 32
"""Files that are read, looked up among the known outcomes, and grouped in one go."""


class Keyed(Struct, frozen=True, kw_only=True):
    """`listed_as` is the path that it is recorded under, when it is not the file's own."""

    key: str
    file: FileQuestion
    listed_as: str | None = None


Group = tuple[Keyed, ...]
"""Files that share a request."""


class Questions:
    """Of one repository, whose own `conventions` are shown with every file."""

    def __init__(
        self, spec: JobSpec, plan: Plan | None, *, model: str, target: RepositoryProcess, conventions: str
    ) -> None:
        self._spec = spec
        self._plan = plan
        self._model = model
        self._target = target
        self._conventions = conventions

    async def about(self, candidate: Candidate) -> Keyed:
        plan, own = self._plan, () if self._spec.match is None else (self._spec.match,)
        read = await self._target.read_with_matches(candidate.path, (plan.matches if plan is not None else ()) or own)
        file = self._question(candidate.path, read.content, mode=candidate.mode, matches=read.matches)
        return Keyed(key=question_key(file), file=file)

    def correcting(self, path: str, data: bytes, note: str, *, mode: int, number: int) -> Keyed:
        """About a file once more, whose `data` are what became of it: the `note` says what is wrong with it."""
        note = f"The task was carried out in this file already, and this came of it:\n{note}\nCorrect what is wrong."
        file = self._question(path, data, mode=mode, note=note)
        return Keyed(key=question_key(file), file=file, listed_as=f"{path} (correction {number})")

    async def groups(self, questions: Sequence[Keyed]) -> list[Group]:
        """A cap on each file's cost leaves every file to itself."""
        plan = self._plan
        if plan is None or plan.extent is Extent.FILE or self._spec.max_file_cost_microusd is not None:
            return [(question,) for question in questions]
        sizes = [await asyncio.to_thread(_characters, question.file) for question in questions]
        return list(group_files(questions, sizes))

    def _question(
        self, path: str, data: bytes, *, mode: int, matches: tuple[tuple[int, int], ...] = (), note: str = ""
    ) -> FileQuestion:
        return FileQuestion(
            path=path,
            data=data,
            prompt=self._spec.prompt,
            job_type=self._spec.type,
            model=self._model,
            plan=self._plan,
            mode=mode,
            matches=matches,
            conventions=self._conventions,
            allow_paths=self._spec.allow_paths,
            protect_paths=self._spec.protect_paths,
            note=note,
        )


async def first_view_of(file: FileQuestion) -> View:
    text = read_text(file.data)
    return await asyncio.to_thread(view_of, file, "" if text is None else text.shown)


def _characters(file: FileQuestion) -> int:
    text = read_text(file.data)
    return 0 if text is None else view_of(file, text.shown).characters
