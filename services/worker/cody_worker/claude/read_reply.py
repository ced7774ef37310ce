"""What a reply's tool calls say about each of the files that were asked about."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from cody_jobs.models import FailureCode, JobType
from cody_jobs.outcomes import Edit, Edited, Finding, LeftAlone, NewFile, Reported
from cody_worker.claude.claude import ClaudeReply, ToolUse
from cody_worker.claude.edit_tools import (
    INPUTS,
    Call,
    CreateFile,
    DeleteFile,
    EditFile,
    LeaveUnchanged,
    ReadFile,
    Refuse,
    RenameFile,
    ReportFindings,
    Search,
    SeeMore,
    Tool,
    tool_names,
)
from cody_worker.claude.problem import Problem, unusable

_NAME_SHOWN = 80


class Refused(Struct, frozen=True, kw_only=True):
    """Claude declined, in words of its own."""

    reason: str


class LookUp(Struct, frozen=True, kw_only=True):
    """A call that only wants to see something; `use_id` is the tool call's."""

    use_id: str
    call: SeeMore | ReadFile | Search


class Looks(Struct, frozen=True, kw_only=True):
    wanted: tuple[LookUp, ...]


Said = Edited | LeftAlone | Reported | Refused | Looks | Problem


def read_reply(reply: ClaudeReply, paths: Sequence[str], job_type: JobType) -> dict[str, Said]:
    """One entry for every path. Of one whole reply, nothing is used for a file that has anything wrong with it."""
    calls = _Calls(reply, paths, job_type)
    return {path: calls.said_about(path) for path in paths}


def tool_uses(reply: ClaudeReply) -> list[ToolUse]:
    return [block for block in reply.blocks if isinstance(block, ToolUse)]


class _Named(Struct, frozen=True, kw_only=True):
    path: str = ""
    for_path: str = ""


class _Calls:
    """The calls of a reply by the file that they belong to; those that belong to none concern all."""

    def __init__(self, reply: ClaudeReply, paths: Sequence[str], job_type: JobType) -> None:
        self._paths = paths
        self._job_type = job_type
        self._everybody: Problem | None = None
        self._broken: dict[str, Problem] = {}
        self._own: dict[str, list[tuple[ToolUse, Call]]] = {path: [] for path in paths}
        uses = tool_uses(reply)
        if not uses:
            self._everybody = unusable("there was no tool call", f"Call one of {self._choices()}; text is not read.")
        for use in uses:
            self._sort(use)

    def said_about(self, path: str) -> Said:
        problem = self._everybody or self._broken.get(path)
        if problem is not None:
            return problem
        own = self._own[path]
        if not own:
            return unusable("there was no tool call for this file", f"Call one of {self._choices()}.")
        looks = [LookUp(use_id=use.id, call=call) for use, call in own if isinstance(call, SeeMore | ReadFile | Search)]
        if looks and len(looks) < len(own):
            return unusable("it looks and acts at once", "Look first, or act; a reply that does both is not used.")
        return Looks(wanted=tuple(looks)) if looks else _act([call for _, call in own])

    def _sort(self, use: ToolUse) -> None:
        call = self._read(use)
        if isinstance(call, Problem):
            self._blame(use, call)
            return
        path = self._path_of(call)
        if path in self._own:
            self._own[path].append((use, call))
            return
        message = f"{use.name} names {path[:_NAME_SHOWN]!r}, and you were not asked about that file"
        self._everybody = self._everybody or unusable(message, "Act only on what you were asked about.")

    def _blame(self, use: ToolUse, problem: Problem) -> None:
        """A call that cannot be read is one file's problem where it names one, and else everybody's."""
        try:
            named = msgspec.json.decode(use.input, type=_Named)
        except msgspec.DecodeError:
            named = _Named()
        path = next((path for path in (named.for_path, named.path) if path in self._own), None)
        if path is None:
            self._everybody = self._everybody or problem
        else:
            self._broken.setdefault(path, problem)

    def _path_of(self, call: Call) -> str:
        if isinstance(call, ReadFile | Search):
            return self._paths[0] if len(self._paths) == 1 else ""
        path = call.for_path if isinstance(call, CreateFile) else call.path
        return self._paths[0] if not path and len(self._paths) == 1 else path

    def _read(self, use: ToolUse) -> Call | Problem:
        if use.name not in tool_names(self._job_type):
            return unusable(f"there is no tool {use.name[:_NAME_SHOWN]!r}", f"Call one of {self._choices()}.")
        try:
            return msgspec.json.decode(use.input, type=INPUTS[Tool(use.name)])
        except msgspec.DecodeError as error:
            return unusable(f"the input of {use.name} is not what its schema asks for: {error}", "Call it again.")

    def _choices(self) -> str:
        return ", ".join(sorted(tool_names(self._job_type)))


def _act(calls: Sequence[Call]) -> Edited | LeftAlone | Reported | Refused | Problem:
    match calls:
        case [LeaveUnchanged(reason=reason)]:
            return LeftAlone(reason=reason.strip()) if reason.strip() else _no_reason()
        case [Refuse(reason=reason)]:
            return Refused(reason=reason.strip()) if reason.strip() else _no_reason()
        case [ReportFindings() as report]:
            return _report(report)
        case _:
            return _change(calls)


def _change(calls: Sequence[Call]) -> Edited | Problem:
    names = [type(call).__name__ for call in calls if not isinstance(call, CreateFile)]
    if len(set(names)) < len(names):
        return unusable("there were two calls of the same tool for one file", "Put all edits of a file into one call.")
    if any(isinstance(call, LeaveUnchanged | Refuse | ReportFindings) for call in calls):
        return unusable("there were calls that exclude each other", "Say one thing about a file.")
    edits = [edit for call in calls if isinstance(call, EditFile) for edit in call.edits]
    if not edits and any(isinstance(call, EditFile) for call in calls):
        return unusable(
            "the list of edits is empty", f"If nothing is to be changed, call {Tool.LEAVE} with the reason."
        )
    deletions = [call for call in calls if isinstance(call, DeleteFile)]
    renames = [call for call in calls if isinstance(call, RenameFile)]
    if deletions and (edits or renames):
        return unusable("a file that is deleted cannot be edited or moved", "Do one of them.")
    return Edited(
        edits=tuple(Edit(old_text=edit.old_text, new_text=edit.new_text) for edit in edits),
        created=tuple(_created(calls)),
        renamed=renames[0].new_path if renames else None,
        deleted=bool(deletions),
    )


def _created(calls: Iterable[Call]) -> Iterable[NewFile]:
    return (NewFile(path=call.path, text=call.content) for call in calls if isinstance(call, CreateFile))


def _report(report: ReportFindings) -> Reported | Problem:
    if any(finding.line < 1 for finding in report.findings):
        return unusable("a finding has no line", "Lines count from 1.")
    findings = tuple(
        Finding(line=finding.line, severity=finding.severity, text=finding.text) for finding in report.findings
    )
    return Reported(findings=findings, reason=report.summary.strip())


def _no_reason() -> Problem:
    return Problem(code=FailureCode.CLAUDE_REPLY_UNUSABLE, message="the reason is empty", advice="Say why.")
