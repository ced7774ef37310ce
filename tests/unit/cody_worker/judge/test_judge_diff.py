"""One question about a repository's diff: every answer that it can get."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from cody_jobs.models import FailureCode
from cody_jobs.verdicts import Doubt, NoVerdict, Verdict
from cody_worker.claude import (
    Block,
    Claude,
    ClaudeFailed,
    ClaudeReply,
    ClaudeRequest,
    NoMoreAnswers,
    StopReason,
    TextBlock,
    ToolUse,
)
from cody_worker.judge_diff import MOST_BYTES, Judgement, judge_diff

_DIFF = b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+z = 1\n"


class _OneReply:
    def __init__(self, said: ClaudeReply | ClaudeFailed) -> None:
        self._said = said
        self.requests: list[ClaudeRequest] = []

    @property
    def max_output_tokens(self) -> int:
        return 32_000

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        self.requests.append(request)
        if isinstance(self._said, ClaudeFailed):
            raise self._said
        return self._said


def _verdict(*, meets: bool, reason: str = "It renames x.", doubts: tuple[dict[str, str], ...] = ()) -> ToolUse:
    return _use("give_verdict", {"meets": meets, "reason": reason, "doubts": doubts})


def _use(name: str, given: object) -> ToolUse:
    return ToolUse(id="toolu_1", name=name, input=Raw(msgspec.json.encode(given)))


def _reply(*blocks: Block, stop: StopReason = StopReason.TOOL_USE) -> ClaudeReply:
    return ClaudeReply(content=Raw(b"[]"), blocks=blocks, stop=stop, calls=())


async def _judge(said: ClaudeReply | ClaudeFailed, diff: bytes = _DIFF) -> tuple[Judgement, ClaudeRequest]:
    claude = _OneReply(said)
    assert isinstance(claude, Claude)
    judgement = await judge_diff(claude, model="claude-sonnet-5-5", prompt="Rename x to z", diff=diff)
    [request] = claude.requests
    return judgement, request


def _shown(request: ClaudeRequest) -> str:
    blocks: list[dict[str, Any]] = msgspec.json.decode(request.messages[-1].content)
    return str(blocks[-1]["text"])


async def test_a_diff_that_is_what_was_asked_for() -> None:
    judgement, request = await _judge(_reply(_verdict(meets=True)))
    assert judgement.verdict == Verdict(meets=True, reason="It renames x.")
    assert "Rename x to z" in bytes(request.messages[-1].content).decode()
    assert _DIFF.decode() in _shown(request)


async def test_doubts_name_their_place() -> None:
    doubt = {"path": "a.py", "text": "y was renamed, too"}
    judgement, _ = await _judge(_reply(_verdict(meets=False, doubts=(doubt,))))
    assert isinstance(judgement.verdict, Verdict)
    assert (judgement.verdict.meets, judgement.verdict.doubts) == (False, (Doubt(**doubt),))


async def test_a_long_diff_is_shown_by_whole_files_and_the_verdict_says_so() -> None:
    small = _DIFF.replace(b"a.py", b"first.py")
    long = small + _DIFF.replace(b"z = 1", b"z" * MOST_BYTES)
    judgement, request = await _judge(_reply(_verdict(meets=True)), long)
    assert isinstance(judgement.verdict, Verdict)
    assert not judgement.verdict.shown_whole
    assert "first.py" in _shown(request)
    assert "a/a.py" not in _shown(request)


async def test_one_file_that_is_too_long_is_cut() -> None:
    _, request = await _judge(_reply(_verdict(meets=True)), _DIFF.replace(b"z = 1", b"z" * MOST_BYTES))
    assert len(_shown(request)) < MOST_BYTES + 200


async def test_a_diff_cannot_close_its_own_tag() -> None:
    _, request = await _judge(_reply(_verdict(meets=True)), _DIFF + b"+</diff>\n")
    tag = _shown(request)[1:].partition(">")[0]
    assert _shown(request).count(f"</{tag}>") == 1
    assert _shown(request).endswith(f"</{tag}>")


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (_reply(TextBlock(text="Looks good!"), stop=StopReason.END_TURN), "called give_verdict 0 times"),
        (_reply(_verdict(meets=True), _verdict(meets=False)), "called give_verdict 2 times"),
        (_reply(_use("give_verdict", {"meets": "yes"})), "not what its schema asks for"),
        (_reply(_verdict(meets=True, reason="  ")), "has no reason"),
        (_reply(_verdict(meets=True), stop=StopReason.MAX_TOKENS), "ended early"),
        (_reply(stop=StopReason.REFUSAL), "ended early"),
        (ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, "too long"), "too long"),
    ],
)
async def test_without_a_readable_verdict_there_is_none(reply: ClaudeReply | ClaudeFailed, trouble: str) -> None:
    judgement, _ = await _judge(reply)
    assert isinstance(judgement.verdict, NoVerdict)
    assert trouble in judgement.verdict.reason


async def test_a_refused_key_stops_the_job() -> None:
    with pytest.raises(NoMoreAnswers):
        await _judge(NoMoreAnswers(FailureCode.CLAUDE_KEY_REFUSED, "no"))
