"""The tools that Claude has for working on files, as the Messages API is told of them, and what their inputs are."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Raw, Struct

from cody_jobs.models import JobType
from cody_jobs.outcomes import Severity


class Tool(StrEnum):
    EDIT = "edit_file"
    CREATE = "create_file"
    DELETE = "delete_file"
    RENAME = "rename_file"
    LEAVE = "leave_unchanged"
    REPORT = "report"
    REFUSE = "refuse"
    SEE_MORE = "see_more"
    READ = "read_file"
    SEARCH = "search"


class _Input(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`path` is a file that Claude was asked about; left out, it is the only one."""

    path: str = ""


class EditInput(Struct, frozen=True, forbid_unknown_fields=True):
    old_text: str
    new_text: str


class EditFile(_Input, frozen=True, kw_only=True):
    edits: tuple[EditInput, ...]


class CreateFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`path` is the new file's, `for_path` the one that Claude was asked about."""

    path: str
    content: str
    for_path: str = ""


class DeleteFile(_Input, frozen=True, kw_only=True):
    reason: str


class RenameFile(_Input, frozen=True, kw_only=True):
    new_path: str


class LeaveUnchanged(_Input, frozen=True, kw_only=True):
    reason: str


class FindingInput(Struct, frozen=True, forbid_unknown_fields=True):
    line: int
    severity: Severity
    text: str


class ReportFindings(_Input, frozen=True, kw_only=True):
    findings: tuple[FindingInput, ...]
    summary: str


class Refuse(_Input, frozen=True, kw_only=True):
    reason: str


class SeeMore(_Input, frozen=True, kw_only=True):
    """Lines count from 1; the last one is included."""

    start_line: int
    end_line: int


class ReadFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any file of the repository."""

    path: str


class Search(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`paths` is one gitignore-style pattern, empty for all files."""

    text: str
    paths: str


Call = (
    EditFile
    | CreateFile
    | DeleteFile
    | RenameFile
    | LeaveUnchanged
    | ReportFindings
    | Refuse
    | SeeMore
    | ReadFile
    | Search
)
INPUTS: Mapping[Tool, type[Call]] = {
    Tool.EDIT: EditFile,
    Tool.CREATE: CreateFile,
    Tool.DELETE: DeleteFile,
    Tool.RENAME: RenameFile,
    Tool.LEAVE: LeaveUnchanged,
    Tool.REPORT: ReportFindings,
    Tool.REFUSE: Refuse,
    Tool.SEE_MORE: SeeMore,
    Tool.READ: ReadFile,
    Tool.SEARCH: Search,
}


def _text(description: str = "") -> dict[str, object]:
    return {"type": "string", "description": description} if description else {"type": "string"}


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _tool(name: Tool, description: str, **properties: object) -> dict[str, object]:
    return {"name": name, "description": description, "input_schema": _object(properties), "strict": True}


_PATH = _text()
_NUMBER = {"type": "integer"}
_EDITS = {
    "type": "array",
    "items": _object(
        {
            "old_text": _text("Text of the file, exact, that occurs once in what you are shown of it."),
            "new_text": _text("What replaces it, in full; empty to delete it."),
        }
    ),
}
_FINDINGS = {
    "type": "array",
    "items": _object(
        {"line": _NUMBER, "severity": {"type": "string", "enum": [*Severity]}, "text": _text("One or two sentences.")}
    ),
}
_LOOKING = (
    _tool(Tool.SEE_MORE, "See lines that were left out.", path=_PATH, start_line=_NUMBER, end_line=_NUMBER),
    _tool(Tool.READ, "Read another file of the repository.", path=_PATH),
    _tool(
        Tool.SEARCH,
        "Find lines with a literal text in the repository.",
        text=_text(),
        paths=_text("A gitignore-style pattern; empty for all files."),
    ),
)
_REFUSING = _tool(Tool.REFUSE, "Decline the task for a file.", path=_PATH, reason=_text())
_EDITING_TOOLS = (
    _tool(Tool.EDIT, "Change a file by replacing texts in it.", path=_PATH, edits=_EDITS),
    _tool(
        Tool.CREATE,
        "Add a new file that the change needs.",
        path=_PATH,
        content=_text(),
        for_path=_text("The file you were asked about that needs it."),
    ),
    _tool(Tool.DELETE, "Delete a file.", path=_PATH, reason=_text()),
    _tool(Tool.RENAME, "Move a file; its edits go into a call of edit_file.", path=_PATH, new_path=_text()),
    _tool(Tool.LEAVE, "Leave a file as it is.", path=_PATH, reason=_text("One sentence.")),
    _REFUSING,
    *_LOOKING,
)
_ANALYSIS_TOOLS = (
    _tool(
        Tool.REPORT, "Report on a file; no findings if there are none.", path=_PATH, findings=_FINDINGS, summary=_text()
    ),
    _REFUSING,
    *_LOOKING,
)
_EDITING, _ANALYSIS = (Raw(msgspec.json.encode(tools)) for tools in (_EDITING_TOOLS, _ANALYSIS_TOOLS))


def tools_for(job_type: JobType) -> Raw:
    """The JSON list of the Messages API."""
    return _ANALYSIS if job_type is JobType.CODE_ANALYSIS else _EDITING


def tool_names(job_type: JobType) -> frozenset[Tool]:
    tools = _ANALYSIS_TOOLS if job_type is JobType.CODE_ANALYSIS else _EDITING_TOOLS
    return frozenset(Tool(str(tool["name"])) for tool in tools)
