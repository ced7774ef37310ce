"""How one file is put to Claude, and how its reply is read: two tools, one call."""

import hashlib
import json

import msgspec
from msgspec import Raw, Struct

from cody_jobs.models import FailureCode, JobType
from cody_jobs.outcomes import Edit, Edited, LeftAlone, ThreadMessage
from cody_worker.claude.claude import ClaudeReply, ToolUse
from cody_worker.prompts import instructions

PROTOCOL_VERSION = "1"
"""Part of every question's key: raise it when the same reply would be read in another way."""

_EDIT, _LEAVE = "edit_file", "leave_unchanged"


class Problem(Struct, frozen=True, kw_only=True):
    """Why a reply cannot be used: `code` and `message` are the file's failure if it stays like this; Claude is told
    `message` and `advice`."""

    code: FailureCode
    message: str
    advice: str

    @property
    def told(self) -> str:
        return f"Nothing was changed: {self.message}. {self.advice}"


class _EditInput(Struct, frozen=True, forbid_unknown_fields=True):
    old_text: str
    new_text: str


class _EditFileInput(Struct, frozen=True, forbid_unknown_fields=True):
    edits: tuple[_EditInput, ...]


class _LeaveUnchangedInput(Struct, frozen=True, forbid_unknown_fields=True):
    reason: str


def _schema(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_EDITS_SCHEMA = {
    "type": "array",
    "description": "All changes of this file. No two old texts may overlap.",
    "items": _schema(
        {
            "old_text": {"type": "string", "description": "Text of the file, exact, that occurs in it exactly once."},
            "new_text": {"type": "string", "description": "The text that replaces it, in full; empty to delete it."},
        }
    ),
}
TOOLS = Raw(
    msgspec.json.encode(
        [
            {
                "name": _EDIT,
                "description": "Change the file, by replacing texts that each occur in it exactly once.",
                "input_schema": _schema({"edits": _EDITS_SCHEMA}),
                "strict": True,
            },
            {
                "name": _LEAVE,
                "description": "Leave the file as it is, because the task asks for no change in it.",
                "input_schema": _schema({"reason": {"type": "string", "description": "Why, in one sentence."}}),
                "strict": True,
            },
        ]
    )
)


def opening(path: str, shown: str, prompt: str, job_type: JobType) -> tuple[ThreadMessage, ...]:
    """The first messages. What all files of a job share comes first and ends in a cache breakpoint.

    The file's tag has a hash of the file in its name, so that no file can close its own.
    """
    tag = f"file-{hashlib.sha256(shown.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    file = f"<{tag} path={json.dumps(path)}>\n{shown}\n</{tag}>"
    task = {"type": "text", "text": f"<task>\n{prompt}\n</task>", "cache_control": {"type": "ephemeral"}}
    return (
        _message("system", [{"type": "text", "text": instructions(job_type)}]),
        _message("user", [task, {"type": "text", "text": file}]),
    )


def read_reply(reply: ClaudeReply) -> Edited | LeftAlone | Problem:
    """What the reply's one tool call says."""
    uses = [block for block in reply.blocks if isinstance(block, ToolUse)]
    if not uses:
        return _unusable("there was no tool call", f"Call {_EDIT} or {_LEAVE}; text is not read.")
    if len(uses) > 1:
        return _unusable(f"there were {len(uses)} tool calls", "Make exactly one, with all edits of the file in it.")
    return _read_use(uses[0])


def _read_use(use: ToolUse) -> Edited | LeftAlone | Problem:
    if use.name not in {_EDIT, _LEAVE}:
        return _unusable(f"there is no tool {use.name[:80]!r}", f"Call {_EDIT} or {_LEAVE}.")
    try:
        return _read_edits(use.input) if use.name == _EDIT else _read_reason(use.input)
    except msgspec.DecodeError as error:
        return _unusable(f"the input of {use.name} is not what its schema asks for: {error}", "Call it again.")


def _read_edits(given: Raw) -> Edited | Problem:
    edits = msgspec.json.decode(given, type=_EditFileInput).edits
    if not edits:
        return _unusable("the list of edits is empty", f"If nothing is to be changed, call {_LEAVE} with the reason.")
    return Edited(edits=tuple(Edit(old_text=edit.old_text, new_text=edit.new_text) for edit in edits))


def _read_reason(given: Raw) -> LeftAlone | Problem:
    reason = msgspec.json.decode(given, type=_LeaveUnchangedInput).reason.strip()
    return LeftAlone(reason=reason) if reason else _unusable("the reason is empty", "Say why the file stays.")


def follow_up(reply: ClaudeReply, problem: Problem) -> tuple[ThreadMessage, ...]:
    """The reply, and what is wrong with it, as the next messages of the conversation."""
    uses = [block for block in reply.blocks if isinstance(block, ToolUse)]
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "is_error": True, "content": problem.told} for use in uses
    ]
    answer = _message("user", results or [{"type": "text", "text": problem.told}])
    return (*said(reply), answer)


def said(reply: ClaudeReply) -> tuple[ThreadMessage, ...]:
    """The reply as a message; an empty one is none, because the API does not take it back."""
    return () if bytes(reply.content) == b"[]" else (ThreadMessage(role="assistant", content=reply.content),)


def _unusable(message: str, advice: str) -> Problem:
    return Problem(code=FailureCode.CLAUDE_REPLY_UNUSABLE, message=message, advice=advice)


def _message(role: str, content: object) -> ThreadMessage:
    return msgspec.convert({"role": role, "content": Raw(msgspec.json.encode(content))}, ThreadMessage)
