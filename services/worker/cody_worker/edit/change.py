"""What an answer makes of a file, checked: new bytes, and everything that is to be staged with them."""

import hashlib
import re
from collections.abc import Iterator

from msgspec import Struct

from cody_jobs.models import FailureCode
from cody_jobs.outcomes import Edited
from cody_worker.apply_edits import EditNotApplicable, apply_edits
from cody_worker.claude.problem import Problem, unusable
from cody_worker.edit.question import FileQuestion, guard_rules
from cody_worker.file_text import EncodingNotKept
from cody_worker.git.rewrite_tree import REGULAR
from cody_worker.git.staged_files import FileStage
from cody_worker.guards import Change, Finding, GuardName, check_change

_DELETING = re.compile(r"\b(?:delet|remov|drop|clean|merg|split|unused|obsolete|dead\b|extract|renam|mov)", re.I)
_MOVING = re.compile(r"\b(?:renam|mov|split|merg|convert|extract|director|folder|extension)|\.\w+ to \.", re.I)
_GUARD_TRIES = 2


class Changed(Struct, frozen=True, kw_only=True):
    """`new_data` is None for a file that is deleted."""

    outcome: Edited
    new_data: bytes | None
    stages: tuple[FileStage, ...]


def change_of(question: FileQuestion, outcome: Edited) -> Changed | Problem:
    """Blocking: searching and parsing a large file takes a while."""
    new_data = _apply(question, outcome)
    if isinstance(new_data, Problem):
        return new_data
    problem = _check_paths(question, outcome) or _check_guards(question, outcome, new_data)
    if problem is not None:
        return problem
    stages = tuple(_stages(question, outcome, new_data))
    if not stages:
        return unusable("the edits change nothing", "If the task asks for no change here, call leave_unchanged.")
    return Changed(outcome=outcome, new_data=None if outcome.deleted else new_data, stages=stages)


def _apply(question: FileQuestion, outcome: Edited) -> bytes | Problem:
    try:
        return apply_edits(question.data, outcome.edits) if outcome.edits else question.data
    except EditNotApplicable as error:
        return Problem(code=FailureCode.EDIT_NOT_APPLICABLE, message=str(error), advice=_advice(error))
    except EncodingNotKept as error:
        advice = "Use only characters that the file can hold."
        return Problem(code=FailureCode.ENCODING_NOT_KEPT, message=str(error), advice=advice)


def _advice(error: EditNotApplicable) -> str:
    """What Claude needs to know to do better."""
    again = "Give all edits again; every old_text must be copied exactly from the file and occur in it once."
    if error.count:
        return f"Include neighbouring lines, so that it occurs once. {again}"
    if error.nearest is None:
        return again
    return f"The text that comes closest begins at line {error.nearest.line}:\n{error.nearest.text}\n{again}"


def _check_paths(question: FileQuestion, outcome: Edited) -> Problem | None:
    paths = [file.path for file in outcome.created] + ([outcome.renamed] if outcome.renamed is not None else [])
    if question.path in paths or len(set(paths)) < len(paths):
        return unusable("two files of the answer have the same path", "Give each new file a path of its own.")
    plan = question.plan.change if question.plan is not None else ""
    asked = f"{question.prompt}\n{plan}"
    if outcome.deleted and not _DELETING.search(asked):
        return _not_asked("deleting a file")
    if outcome.renamed is not None and not _MOVING.search(asked):
        return _not_asked("moving a file")
    return None


def _not_asked(what: str) -> Problem:
    return Problem(
        code=FailureCode.GUARD_HIT,
        message=f"the task says nothing of {what}",
        advice="Change it in its place, or leave it unchanged with the reason.",
        tries=_GUARD_TRIES,
    )


def _check_guards(question: FileQuestion, outcome: Edited, new_data: bytes) -> Problem | None:
    rules = guard_rules(question)
    findings = [finding for change in _changes(question, outcome, new_data) for finding in check_change(change, rules)]
    return _hit(findings) if findings else None


def _changes(question: FileQuestion, outcome: Edited, new_data: bytes) -> Iterator[Change]:
    after = None if outcome.deleted else new_data
    path = question.path if outcome.renamed is None else outcome.renamed
    mode = None if outcome.deleted else question.mode
    yield Change(path=path, before=question.data, after=after, mode_before=question.mode, mode_after=mode)
    if outcome.renamed is not None:  # its old path may be protected
        yield Change(path=question.path, before=question.data, after=question.data)
    for file in outcome.created:
        after = _encoded(file.text)
        yield Change(path=file.path, before=None, after=after, origin=question.data, mode_after=REGULAR)


def _hit(findings: list[Finding]) -> Problem:
    broken = all(finding.guard is GuardName.SYNTAX_ERRORS for finding in findings)
    listed = "; ".join(f"{finding.guard}: {finding.message}" for finding in findings)
    message = f"with these edits the file does not parse any more: {findings[0].message}" if broken else listed
    return Problem(
        code=FailureCode.SYNTAX_BROKEN if broken else FailureCode.GUARD_HIT,
        message=message,
        advice="Give the whole answer again without that, or leave the file unchanged with the reason.",
        tries=_GUARD_TRIES,
    )


def _stages(question: FileQuestion, outcome: Edited, new_data: bytes) -> Iterator[FileStage]:
    before = hashlib.sha256(question.data).digest()
    if outcome.deleted or outcome.renamed is not None:
        yield FileStage(path=question.path, content=None, before=before)
    if outcome.renamed is not None:
        yield FileStage(path=outcome.renamed, content=new_data, before=None, like=question.path)
    if not outcome.deleted and outcome.renamed is None and new_data != question.data:
        yield FileStage(path=question.path, content=new_data, before=before)
    for file in outcome.created:
        yield FileStage(path=file.path, content=_encoded(file.text), before=None)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
