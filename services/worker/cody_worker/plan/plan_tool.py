"""How a job is put to Claude for a plan, and how the answer is read: one tool, one call."""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from cody_jobs.models import JobSpec
from cody_jobs.outcomes import ThreadMessage
from cody_jobs.plan import LANGUAGES, Example, Extent, Plan, Precondition
from cody_worker.claude import ClaudeReply, ToolUse
from cody_worker.prompts import prompt_text

_VERSION = "1"
"""Part of every question: raise it when the same reply would be read in another way."""

_MAKE, _REFUSE = "make_plan", "refuse"


class Refused(Struct, frozen=True, kw_only=True):
    """Claude declined to plan the job, in its own words."""

    reason: str


class Problems(Struct, frozen=True, kw_only=True):
    """Everything that is wrong with a reply, each in one sentence."""

    found: tuple[str, ...]


class _PreconditionInput(Struct, frozen=True, forbid_unknown_fields=True):
    reason: str
    paths: tuple[str, ...]
    pattern: str
    missing: bool


class _ExampleInput(Struct, frozen=True, forbid_unknown_fields=True):
    before: str
    after: str


class _PlanInput(Struct, frozen=True, forbid_unknown_fields=True):
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    languages: tuple[str, ...]
    matches: tuple[str, ...]
    leave_alone: tuple[_PreconditionInput, ...]
    extent: Extent
    change: str
    example: _ExampleInput
    remaining: tuple[str, ...]


class _RefuseInput(Struct, frozen=True, forbid_unknown_fields=True):
    reason: str


def opening(spec: JobSpec) -> tuple[ThreadMessage, ...]:
    task = f"<task>\n{spec.prompt}\n</task>\nThe kind of job is {spec.type.value}."
    return (_message("system", [_text(prompt_text("plan"))]), _message("user", [_text(task)]))


def question_key(model: str, messages: tuple[ThreadMessage, ...]) -> str:
    """Hex SHA-256 of all that decides the answer: model, instructions, kind of job, prompt."""
    parts = [_VERSION, model, bytes(TOOLS), *(bytes(message.content) for message in messages)]
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


def read_reply(reply: ClaudeReply) -> Plan | Refused | Problems:
    """The plan as it was said; whether it can be carried out is for `check_plan`."""
    uses = _uses(reply)
    if len(uses) != 1:
        return _problem(f"There were {len(uses)} tool calls. Call {_MAKE} or {_REFUSE}, once.")
    use = uses[0]
    try:
        if use.name == _MAKE:
            return _plan(msgspec.json.decode(use.input, type=_PlanInput))
        if use.name == _REFUSE:
            return Refused(reason=msgspec.json.decode(use.input, type=_RefuseInput).reason.strip() or "no reason given")
    except msgspec.DecodeError as error:
        return _problem(f"The input of {use.name} is not what its schema asks for: {error}.")
    return _problem(f"There is no tool {use.name!r}. Call {_MAKE} or {_REFUSE}.")


def follow_up(reply: ClaudeReply, problems: Problems) -> tuple[ThreadMessage, ...]:
    """The reply, and what is wrong with it, as the next messages of the conversation."""
    told = "The plan cannot be used. Give it again, whole and corrected.\n" + "\n".join(problems.found)
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "is_error": True, "content": told} for use in _uses(reply)
    ]
    return (*said(reply), _message("user", results or [_text(told)]))


def said(reply: ClaudeReply) -> tuple[ThreadMessage, ...]:
    """The reply as a message; an empty one is none, because the API does not take it back."""
    return () if bytes(reply.content) == b"[]" else (ThreadMessage(role="assistant", content=reply.content),)


def _plan(given: _PlanInput) -> Plan:
    example = given.example
    return Plan(
        include=given.include,
        exclude=given.exclude,
        languages=given.languages,
        matches=given.matches,
        leave_alone=tuple(
            Precondition(
                reason=condition.reason.strip(),
                paths=condition.paths,
                pattern=condition.pattern or None,
                missing=condition.missing,
            )
            for condition in given.leave_alone
        ),
        extent=given.extent,
        change=given.change.strip(),
        example=Example(before=example.before, after=example.after) if example.before or example.after else None,
        remaining=given.remaining,
    )


def _uses(reply: ClaudeReply) -> list[ToolUse]:
    return [block for block in reply.blocks if isinstance(block, ToolUse)]


def _problem(text: str) -> Problems:
    return Problems(found=(text,))


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _message(role: str, content: object) -> ThreadMessage:
    return msgspec.convert({"role": role, "content": Raw(msgspec.json.encode(content))}, ThreadMessage)


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _tool(name: str, description: str, **properties: object) -> dict[str, object]:
    return {"name": name, "description": description, "input_schema": _object(properties), "strict": True}


def _list(items: Mapping[str, object]) -> dict[str, object]:
    return {"type": "array", "items": items}


_STRING = {"type": "string"}
_STRINGS = _list(_STRING)
_CONDITION = _object({"reason": _STRING, "paths": _STRINGS, "pattern": _STRING, "missing": {"type": "boolean"}})
TOOLS = Raw(
    msgspec.json.encode(
        [
            _tool(
                _MAKE,
                "Say which files the task concerns and how they are changed.",
                include=_STRINGS,
                exclude=_STRINGS,
                languages=_list({"type": "string", "enum": sorted(LANGUAGES)}),
                matches=_STRINGS,
                leave_alone=_list(_CONDITION),
                extent={"type": "string", "enum": [*Extent]},
                change=_STRING,
                example=_object({"before": _STRING, "after": _STRING}),
                remaining=_STRINGS,
            ),
            _tool(_REFUSE, "Decline to plan the task.", reason=_STRING),
        ]
    )
)
