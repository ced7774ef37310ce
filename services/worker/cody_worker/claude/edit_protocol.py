"""How files are put to Claude: what all files of a job share comes first, then the files; and what it is told back."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from cody_jobs.models import JobType
from cody_jobs.outcomes import ThreadMessage
from cody_jobs.plan import Plan
from cody_worker.claude.claude import ClaudeReply
from cody_worker.claude.edit_tools import tools_for
from cody_worker.claude.read_reply import tool_uses
from cody_worker.prompts import instructions
from cody_worker.windows import View

PROTOCOL_VERSION = "2"
"""Part of every question's key: raise it when the same reply would be read in another way."""

_CACHED = {"cache_control": {"type": "ephemeral"}}


class Task(Struct, frozen=True, kw_only=True):
    """What all questions about files of a repository share; `conventions` are the repository's own words."""

    prompt: str
    job_type: JobType
    plan: Plan | None
    conventions: str


class ShownFile(Struct, frozen=True, kw_only=True):
    """`notes` are told after the file: what was wrong before, or what was looked up."""

    path: str
    view: View
    notes: tuple[str, ...] = ()


def opening(task: Task, files: Sequence[ShownFile]) -> tuple[ThreadMessage, ...]:
    """The first messages. What does not depend on the files comes first, and ends in cache breakpoints: one for what is
    the job's, one for what is the repository's."""
    blocks = [*_stable(task), *(_text(part) for file in files for part in (_file(file), *file.notes))]
    return (_message("system", [_text(instructions(task.job_type))]), _message("user", blocks))


def stable_bytes(task: Task) -> bytes:
    """Everything in front of the first file, as it is sent."""
    stable = [instructions(task.job_type), *_stable(task)]
    return bytes(tools_for(task.job_type)) + msgspec.json.encode(stable)


def tagged(kind: str, text: str, **attributes: str) -> str:
    """Text of others between tags that it cannot close itself: their name has a hash of it."""
    tag = tag_of(kind, text)
    given = "".join(f" {name}={json.dumps(value)}" for name, value in attributes.items())
    return f"<{tag}{given}>\n{text}\n</{tag}>"


def tag_of(kind: str, text: str) -> str:
    return f"{kind}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def follow_up(reply: ClaudeReply, told: str, results: Mapping[str, str] | None = None) -> tuple[ThreadMessage, ...]:
    """The reply, and what came of it, as the next messages of the conversation. Calls that have no result of their own
    are told `told`, as an error."""
    answers = [_result(use.id, told, results or {}) for use in tool_uses(reply)]
    return (*said(reply), _message("user", answers or [_text(told)]))


def said(reply: ClaudeReply) -> tuple[ThreadMessage, ...]:
    """The reply as a message; an empty one is none, because the API does not take it back."""
    return () if bytes(reply.content) == b"[]" else (ThreadMessage(role="assistant", content=reply.content),)


def _stable(task: Task) -> list[dict[str, object]]:
    job = [f"<task>\n{task.prompt}\n</task>", *_plan_words(task.plan)]
    blocks = [_text(part) for part in job]
    blocks[-1] |= _CACHED
    return [*blocks, _text(task.conventions) | _CACHED] if task.conventions else blocks


def _plan_words(plan: Plan | None) -> list[str]:
    if plan is None or not (plan.change or plan.example):
        return []
    example = plan.example
    shown = [] if example is None else [f"before:\n{example.before}", f"after:\n{example.after}"]
    return ["\n".join(["<plan>", *([plan.change] if plan.change else []), *shown, "</plan>"])]


def _file(file: ShownFile) -> str:
    tag = tag_of("file", file.view.text)
    return f"<{tag} path={json.dumps(file.path)}>\n{file.view.render(tag)}\n</{tag}>"


def _result(use_id: str, told: str, results: Mapping[str, str]) -> dict[str, object]:
    content = results.get(use_id)
    result = {"type": "tool_result", "tool_use_id": use_id}
    return {**result, "is_error": True, "content": told} if content is None else {**result, "content": content}


def _text(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


def _message(role: str, content: object) -> ThreadMessage:
    return msgspec.convert({"role": role, "content": Raw(msgspec.json.encode(content))}, ThreadMessage)
