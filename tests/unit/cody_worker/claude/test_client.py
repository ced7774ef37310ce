"""What every fault of the Claude API leads to, for the file and for the job."""

import asyncio
import random
import socket

import pytest
from blockbuster import blockbuster_ctx
from msgspec.structs import replace

from cody_jobs.errors import SettingsError
from cody_jobs.models import FailureCode
from cody_jobs.outcomes import Edited, GaveUp, LeftAlone
from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind
from cody_worker.claude import JOB_LEVEL_CODES, Claude, ClaudeFailed, ClaudeRequest, NoMoreAnswers, StopReason
from cody_worker.claude.client import open_claude
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.edit_file import FileQuestion, edit_file, question_key
from tests.unit.cody_worker.claude.conftest import MINUTE, OpenClaude

_EDITED = b"from typing import Optional\r\n\r\nname: str | None = None\r\nage: int | None = None\r\n"


async def test_a_file_is_edited_through_the_real_sdk(
    claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    answer = await edit_file(claude, question)
    assert isinstance(answer.outcome, Edited)
    assert answer.new_data == _EDITED
    (call,) = answer.calls
    assert call.model == "claude-sonnet-5-5"
    assert call.request_id is not None
    assert call.output_tokens > 0
    assert call.cost_microusd > 0
    stats = await stand_in.stats()
    assert (stats.messages, stats.answered, stats.asked("src/models.py")) == (1, 1, 1)
    assert stats.input_tokens == call.input_tokens + call.cache_creation_input_tokens


async def test_the_second_file_of_a_job_reads_instructions_and_task_from_the_cache(
    claude: Claude, question: FileQuestion
) -> None:
    first = (await edit_file(claude, question)).calls[0]
    second = (await edit_file(claude, replace(question, path="b.py"))).calls[0]
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens > 0
    assert second.cost_microusd < first.cost_microusd


async def test_a_task_that_the_stand_in_does_not_know_leaves_the_file_alone(
    claude: Claude, question: FileQuestion
) -> None:
    answer = await edit_file(claude, replace(question, prompt="Write a sonnet"))
    assert isinstance(answer.outcome, LeftAlone)
    assert "stand-in does not know" in answer.outcome.reason


_PASSING = [
    FaultKind.RATE_LIMIT,
    FaultKind.SERVER_ERROR,
    FaultKind.UNAVAILABLE,
    FaultKind.OVERLOADED,
    FaultKind.ERROR_EVENT,
    FaultKind.CUT,
    FaultKind.ENDED_EARLY,
    FaultKind.NOT_JSON_EVENT,
    FaultKind.NOT_A_STREAM,
]


@pytest.mark.parametrize("kind", _PASSING)
async def test_what_passes_by_itself_is_waited_out(
    kind: FaultKind, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind, times=3, retry_after=0.01))
    answer = await edit_file(claude, question)
    assert answer.new_data == _EDITED
    stats = await stand_in.stats()
    assert (stats.messages, stats.answered) == (4, 1)


@pytest.mark.parametrize("kind", [FaultKind.SILENT, FaultKind.IDLE])
async def test_a_server_that_falls_silent_is_asked_again(
    kind: FaultKind, claude_with: OpenClaude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind, times=1))
    async with claude_with(claude_silence=0.2) as claude:
        answer = await edit_file(claude, question)
    assert answer.new_data == _EDITED
    assert (await stand_in.stats()).messages == 2


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.ERROR_EVENT, FaultKind.ENDED_EARLY])
async def test_attempts_that_broke_off_are_paid_for_and_counted(
    kind: FaultKind, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind, times=2))
    answer = await edit_file(claude, question)
    assert len(answer.calls) == 3
    assert all(call.cost_microusd > 0 for call in answer.calls)


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.SERVER_ERROR, FaultKind.CUT])
async def test_an_outage_longer_than_the_patience_stops_the_job_and_may_be_retried(
    kind: FaultKind, claude_with: OpenClaude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind, retry_after=0.01))
    async with claude_with(claude_patience=0.2) as claude:
        with pytest.raises(NoMoreAnswers, match="CLAUDE_PATIENCE") as caught:
            await edit_file(claude, question)
    assert (caught.value.code, caught.value.retryable) == (FailureCode.CLAUDE_UNAVAILABLE, True)
    assert len(caught.value.calls) == (0 if kind is not FaultKind.CUT else (await stand_in.stats()).messages)


async def test_one_file_without_an_answer_fails_alone_while_others_are_answered(
    claude_with: OpenClaude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.SERVER_ERROR, path="poison"))
    async with claude_with(claude_patience=0.3) as claude:
        poison = asyncio.create_task(edit_file(claude, replace(question, path="poison.py")), name="poison")
        while not poison.done():
            assert (await edit_file(claude, question)).new_data == _EDITED
    outcome = poison.result().outcome
    assert isinstance(outcome, GaveUp)
    assert (outcome.failure.code, outcome.failure.retryable) == (FailureCode.CLAUDE_UNAVAILABLE, True)


_STOPPING = {
    FaultKind.KEY_REFUSED: (FailureCode.CLAUDE_KEY_REFUSED, False, "CLAUDE_API_KEY"),
    FaultKind.FORBIDDEN: (FailureCode.CLAUDE_KEY_REFUSED, False, "no permission"),
    FaultKind.NOT_FOUND: (FailureCode.CLAUDE_MODEL_UNKNOWN, False, "CLAUDE_MODEL"),
    FaultKind.SPENDING_LIMIT: (FailureCode.CLAUDE_UNAVAILABLE, True, "spending limit"),
    FaultKind.ACCOUNT_LIMIT: (FailureCode.CLAUDE_UNAVAILABLE, True, "spending limit"),
}


@pytest.mark.parametrize("kind", _STOPPING)
async def test_what_would_hit_every_file_stops_the_job_at_once(
    kind: FaultKind, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind))
    code, retryable, words = _STOPPING[kind]
    with pytest.raises(NoMoreAnswers, match=words) as caught:
        await edit_file(claude, question)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert caught.value.code in JOB_LEVEL_CODES
    assert (await stand_in.stats()).messages == 1


async def test_a_wrong_key_stops_the_job(claude_with: OpenClaude, question: FileQuestion) -> None:
    async with claude_with(claude_api_key="wrong") as claude:
        with pytest.raises(NoMoreAnswers) as caught:
            await edit_file(claude, question)
    assert caught.value.code == FailureCode.CLAUDE_KEY_REFUSED
    assert "wrong" not in str(caught.value)


async def test_an_unknown_model_stops_the_job_and_is_named(claude: Claude, question: FileQuestion) -> None:
    with pytest.raises(NoMoreAnswers, match=r"'claude-1'.*field model.*CLAUDE_MODEL") as caught:
        await edit_file(claude, replace(question, model="claude-1"))
    assert caught.value.code == FailureCode.CLAUDE_MODEL_UNKNOWN


async def test_a_base_url_without_a_messages_api_stops_the_job(
    claude_with: OpenClaude, settings: ClaudeSettings, question: FileQuestion
) -> None:
    async with claude_with(claude_base_url=settings.claude_base_url + "/v1") as claude:
        with pytest.raises(NoMoreAnswers):
            await edit_file(claude, question)


@pytest.mark.parametrize("kind", [FaultKind.BAD_REQUEST, FaultKind.TOO_LARGE])
async def test_a_refused_request_fails_only_its_file(
    kind: FaultKind, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind, path="models"))
    outcome = (await edit_file(claude, question)).outcome
    assert isinstance(outcome, GaveUp)
    assert (outcome.failure.code, outcome.failure.retryable) == (FailureCode.CLAUDE_BAD_REQUEST, False)
    assert (await edit_file(claude, replace(question, path="b.py"))).new_data == _EDITED
    assert (await stand_in.stats()).messages == 2


_BAD_REPLIES = {
    FaultKind.NOT_JSON: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.WRONG_INPUT: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.UNKNOWN_TOOL: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.TWO_TOOLS: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.TEXT_ONLY: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.EMPTY: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.NO_CHANGE: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.WRONG_MATCH: FailureCode.EDIT_NOT_APPLICABLE,
    FaultKind.AMBIGUOUS_MATCH: FailureCode.EDIT_NOT_APPLICABLE,
    FaultKind.BROKEN_SYNTAX: FailureCode.SYNTAX_BROKEN,
}


@pytest.mark.parametrize("kind", _BAD_REPLIES)
async def test_a_bad_reply_is_told_so_and_a_good_one_follows(
    kind: FaultKind, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind, times=1))
    answer = await edit_file(claude, question)
    assert answer.new_data == _EDITED
    assert len(answer.calls) == 2


@pytest.mark.parametrize("kind", _BAD_REPLIES)
async def test_a_few_bad_replies_give_the_file_up(
    kind: FaultKind, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind))
    answer = await edit_file(claude, question)
    assert isinstance(answer.outcome, GaveUp)
    assert (answer.outcome.failure.code, answer.outcome.failure.retryable) == (_BAD_REPLIES[kind], True)
    says_nothing = kind in {FaultKind.TEXT_ONLY, FaultKind.EMPTY}
    assert len(answer.calls) == (await stand_in.stats()).messages == (3 if says_nothing else 2)


async def test_a_cut_off_reply_gets_more_room_once(
    claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.CUT_OFF, times=1))
    assert (await edit_file(claude, question)).new_data == _EDITED
    await stand_in.set_faults(Fault(kind=FaultKind.CUT_OFF))
    outcome = (await edit_file(claude, question)).outcome
    assert isinstance(outcome, GaveUp)
    assert outcome.failure.code is FailureCode.CLAUDE_REPLY_CUT_OFF
    assert "4000 output tokens" in outcome.failure.message


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.REFUSAL, FailureCode.CLAUDE_REFUSED),
        (FaultKind.CONTEXT_FULL, FailureCode.CLAUDE_REPLY_CUT_OFF),
    ],
)
async def test_replies_that_no_repetition_changes_end_the_file_at_once(
    kind: FaultKind, code: FailureCode, claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=kind))
    answer = await edit_file(claude, question)
    assert isinstance(answer.outcome, GaveUp)
    assert (answer.outcome.failure.code, answer.outcome.failure.retryable) == (code, False)
    assert len(answer.calls) == 1


async def test_the_servers_limit_is_waited_for_and_not_run_into(
    claude_with: OpenClaude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(requests_per_minute=30, time_scale=60 / MINUTE)
    async with claude_with(claude_patience=0.2) as claude:
        answers = await asyncio.gather(*(edit_file(claude, question) for _ in range(60)))
    assert [answer.new_data for answer in answers] == [_EDITED] * 60
    # A few on a busy machine, as a second is a minute here. Who just asks is refused far more often.
    assert (await stand_in.stats()).limited < 20


async def test_an_operators_ceiling_holds_where_the_server_has_no_limit(
    claude_with: OpenClaude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    async with claude_with(claude_requests_per_minute=30) as claude:
        await asyncio.gather(*(edit_file(claude, question) for _ in range(60)))
    stats = await stand_in.stats()
    assert stats.admitted / (1 + stats.admitted_seconds / MINUTE) <= 30


async def test_limits_that_others_use_up_are_waited_out_for_longer_than_the_patience(
    claude_with: OpenClaude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.RATE_LIMIT, path="unlucky", retry_after=0.05, lasts=1.0))
    async with claude_with(claude_patience=0.4) as claude:
        unlucky = asyncio.create_task(edit_file(claude, replace(question, path="unlucky.py")), name="unlucky")
        while not unlucky.done():
            assert (await edit_file(claude, question)).new_data == _EDITED
    assert unlucky.result().new_data == _EDITED
    assert (await stand_in.stats()).limited > 1


async def test_a_missing_or_impossible_key_is_said_before_any_call(settings: ClaudeSettings) -> None:
    for key, code in [
        (None, FailureCode.CLAUDE_KEY_MISSING),
        ("", FailureCode.CLAUDE_KEY_MISSING),
        ("a key\n", FailureCode.CLAUDE_KEY_REFUSED),
        ("schlüssel", FailureCode.CLAUDE_KEY_REFUSED),
    ]:
        with pytest.raises(NoMoreAnswers) as caught:
            async with open_claude(replace(settings, claude_api_key=key)):
                pass
        assert caught.value.code == code


@pytest.mark.parametrize("url", ["api.anthropic.com", "ftp://a", "http://", "https:///"])
async def test_a_base_url_that_is_none_names_its_setting(url: str, settings: ClaudeSettings) -> None:
    with pytest.raises(SettingsError, match="CLAUDE_BASE_URL"):
        async with open_claude(replace(settings, claude_base_url=url)):
            pass


async def test_a_server_that_is_not_there_is_waited_for(
    claude_with: OpenClaude, request_about_a_file: ClaudeRequest
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with claude_with(
            claude_base_url=f"http://127.0.0.1:{unused.getsockname()[1]}", claude_patience=0.1
        ) as claude:
            with pytest.raises(NoMoreAnswers, match="connection to Claude failed") as caught:
                await claude.ask(request_about_a_file)
    assert caught.value.retryable


async def test_a_call_can_be_cancelled_and_leaves_the_client_usable(
    claude: Claude, request_about_a_file: ClaudeRequest, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.IDLE, times=1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await claude.ask(request_about_a_file)
    assert (await claude.ask(request_about_a_file)).stop is not StopReason.OTHER


async def test_many_calls_at_once_each_get_their_own_answer(
    claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    chance = random.Random(1)
    files = {f"file_{number}.py": f"x{number}: Optional[int]\n".encode() for number in range(100)}
    await stand_in.set_faults(
        Fault(kind=FaultKind.SERVER_ERROR, share=0.1), Fault(kind=FaultKind.CUT, share=0.1), latency=0.5, seed=3
    )
    paths = chance.sample(list(files), len(files))
    answers = await asyncio.gather(
        *(edit_file(claude, replace(question, path=path, data=files[path])) for path in paths)
    )
    for path, answer in zip(paths, answers, strict=True):
        assert answer.new_data == files[path].replace(b"Optional[int]", b"int | None")
    assert (await stand_in.stats()).most_at_once > 20


async def test_an_overloaded_server_answers_everything_in_the_end(
    claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.OVERLOADED, share=0.2), latency=0.02, seed=3)
    answers = await asyncio.gather(
        *(edit_file(claude, replace(question, path=f"file_{number}.py")) for number in range(60))
    )
    assert all(answer.new_data == _EDITED for answer in answers)
    assert (await stand_in.stats()).by_status["529"] > 0


async def test_nothing_blocks_the_loop(claude: Claude, question: FileQuestion, stand_in: ClaudeStandIn) -> None:
    await edit_file(claude, question)  # what is loaded once, on first use, is no matter
    await stand_in.set_faults(Fault(kind=FaultKind.OVERLOADED, times=1), Fault(kind=FaultKind.WRONG_MATCH, times=1))
    with blockbuster_ctx("cody_worker"):
        answer = await edit_file(claude, replace(question, path="other.py"))
        assert len(question_key(question)) == 64
    assert answer.new_data == _EDITED


def test_failures_of_one_file_are_no_failures_of_the_job() -> None:
    assert not issubclass(ClaudeFailed, NoMoreAnswers)
    assert FailureCode.CLAUDE_BAD_REQUEST not in JOB_LEVEL_CODES
