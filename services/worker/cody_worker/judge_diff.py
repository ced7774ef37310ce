"""Ask Claude once whether a repository's diff is what the prompt asks for: an opinion, after all checks."""

import hashlib

import msgspec
from msgspec import Raw, Struct

from cody_jobs.errors import JobFailed
from cody_jobs.outcomes import CallUsage, ClaudeThread, ThreadMessage
from cody_jobs.verdicts import Doubt, NoVerdict, Verdict
from cody_worker.claude import Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, NoMoreAnswers, StopReason, ToolUse
from cody_worker.prompts import prompt_text

MOST_BYTES = 200_000
"""Of a longer diff, whole files are shown until that many bytes are full."""

_TOOL = "give_verdict"
_MOST_OUTPUT_TOKENS = 4_096
JUDGE_PATH = "(judge)"
"""No path in a repository ends in a parenthesis by accident: the conversation is listed among those of the files."""


class Judgement(Struct, frozen=True, kw_only=True):
    verdict: Verdict | NoVerdict
    calls: tuple[CallUsage, ...]
    thread: ClaudeThread


class _DoubtInput(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    text: str


class _VerdictInput(Struct, frozen=True, forbid_unknown_fields=True):
    meets: bool
    reason: str
    doubts: tuple[_DoubtInput, ...]


def shows_whole(diff: bytes) -> bool:
    return len(diff) <= MOST_BYTES


async def judge_diff(claude: Claude, *, model: str, prompt: str, diff: bytes) -> Judgement:
    """Raises `NoMoreAnswers` only."""
    request = judge_request(model, prompt, diff, limit=claude.max_output_tokens)
    messages = request.messages
    try:
        reply = await claude.ask(request)
    except NoMoreAnswers:
        raise
    except JobFailed as error:
        calls = error.calls if isinstance(error, ClaudeFailed) else ()
        return _without(error.message, calls, _thread(model, messages))
    thread = _thread(model, (*messages, ThreadMessage(role="assistant", content=reply.content)))
    read = _read(reply)
    if isinstance(read, str):
        return _without(read, reply.calls, thread)
    verdict = Verdict(
        meets=read.meets,
        reason=read.reason.strip(),
        doubts=tuple(Doubt(path=doubt.path, text=doubt.text) for doubt in read.doubts),
        shown_whole=shows_whole(diff),
    )
    return Judgement(verdict=verdict, calls=reply.calls, thread=thread)


def judge_request(model: str, prompt: str, diff: bytes, *, limit: int) -> ClaudeRequest:
    shown, shown_whole = _cut(diff)
    return ClaudeRequest(
        model=model,
        messages=_messages(prompt, shown, shown_whole=shown_whole),
        tools=_TOOLS,
        max_output_tokens=min(_MOST_OUTPUT_TOKENS, limit),
    )


def _without(trouble: str, calls: tuple[CallUsage, ...], thread: ClaudeThread) -> Judgement:
    return Judgement(verdict=NoVerdict(reason=trouble), calls=calls, thread=thread)


def _thread(model: str, messages: tuple[ThreadMessage, ...]) -> ClaudeThread:
    return ClaudeThread(path=JUDGE_PATH, model=model, messages=messages)


def _cut(diff: bytes) -> tuple[str, bool]:
    """Whole files of a diff: one that is cut in its middle would look wrong. The first one is shown in any case, cut
    when it is too long alone."""
    if shows_whole(diff):
        return diff.decode(errors="replace"), True
    at = diff.rfind(b"\ndiff --git ", 0, MOST_BYTES)
    return diff[: at + 1 if at > 0 else MOST_BYTES].decode(errors="replace"), False


def _messages(prompt: str, shown: str, *, shown_whole: bool) -> tuple[ThreadMessage, ...]:
    # The tag's name has a hash of the diff in it, so that no diff can close its own.
    tag = f"diff-{hashlib.sha256(shown.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    note = "" if shown_whole else "\nThe diff is longer than this; judge what you see."
    blocks = [
        {"type": "text", "text": f"<task>\n{prompt}\n</task>"},
        {"type": "text", "text": f"<{tag}>\n{shown}\n</{tag}>{note}"},
    ]
    return (_message("system", [{"type": "text", "text": prompt_text("judge")}]), _message("user", blocks))


def _message(role: str, content: object) -> ThreadMessage:
    return msgspec.convert({"role": role, "content": Raw(msgspec.json.encode(content))}, ThreadMessage)


def _read(reply: ClaudeReply) -> _VerdictInput | str:
    if reply.stop in {StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL, StopReason.REFUSAL}:
        return f"the judge's reply ended early ({reply.stop})"
    uses = [block for block in reply.blocks if isinstance(block, ToolUse) and block.name == _TOOL]
    if len(uses) != 1:
        return f"the judge called {_TOOL} {len(uses)} times"
    try:
        read = msgspec.json.decode(uses[0].input, type=_VerdictInput)
    except msgspec.DecodeError as error:
        return f"the judge's verdict is not what its schema asks for: {error}"
    return read if read.reason.strip() else "the judge's verdict has no reason"


def _schema(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TOOLS = Raw(
    msgspec.json.encode(
        [
            {
                "name": _TOOL,
                "description": "Say whether the diff is what the task asks for.",
                "input_schema": _schema(
                    {
                        "meets": {"type": "boolean", "description": "Whether it does that and nothing else."},
                        "reason": {"type": "string", "description": "Why, in one sentence."},
                        "doubts": {
                            "type": "array",
                            "description": "What is wrong, place by place; empty when nothing is.",
                            "items": _schema({"path": {"type": "string"}, "text": {"type": "string"}}),
                        },
                    }
                ),
                "strict": True,
            }
        ]
    )
)
