"""Requests share batches, are answered one by one, cost half, and are paid for once."""

import asyncio
from collections.abc import Sequence

import pytest

from cody_backends.open_backends import Backends
from cody_jobs.events import BatchEnded, BatchSent
from cody_jobs.models import FailureCode
from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind
from cody_worker.claude import Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, NoMoreAnswers, PromptTooLong
from cody_worker.worker_stopping import WorkerStopping
from tests.support.wait import wait_until
from tests.unit.cody_worker.claude.batches.conftest import OpenWorker, question_about
from tests.unit.cody_worker.claude.conftest import OpenClaude


def questions(number: int) -> list[ClaudeRequest]:
    return [question_about(f"src/file_{index}.py") for index in range(number)]


async def ask_all(claude: Claude, requests: Sequence[ClaudeRequest]) -> list[ClaudeReply]:
    return list(await asyncio.gather(*(claude.ask(request) for request in requests)))


async def check_paid_once(stand_in: ClaudeStandIn, requests: int) -> None:
    answers = (await stand_in.stats()).batch_answers
    assert len(answers) == requests
    assert set(answers.values()) == {1}


async def test_what_is_asked_at_once_is_one_batch(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    async with worker() as one:
        replies = await ask_all(one.claude, questions(20))
    assert (await stand_in.stats()).batches == 1
    assert all(b"edit_file" in bytes(reply.content) for reply in replies)
    sent, ended = one.told.values()
    assert isinstance(sent, BatchSent)
    assert sent.requests == 20
    assert ended == BatchEnded(batch_id=sent.batch_id, succeeded=20, errored=0, canceled=0, expired=0)


async def test_an_answer_reads_like_a_streamed_one_and_costs_half(
    worker: OpenWorker, claude_with: OpenClaude, stand_in: ClaudeStandIn
) -> None:
    async with claude_with() as ordinary:
        streamed = await ordinary.ask(question_about("src/file_0.py"))
    await stand_in.reset()
    async with worker() as one:
        batched = await one.claude.ask(question_about("src/file_0.py"))
    assert [type(block) for block in batched.blocks] == [type(block) for block in streamed.blocks]
    assert batched.stop == streamed.stop
    assert batched.calls[0].input_tokens == streamed.calls[0].input_tokens
    assert batched.calls[0].output_tokens == streamed.calls[0].output_tokens
    assert batched.calls[0].cost_microusd == -(-streamed.calls[0].cost_microusd // 2)


async def test_a_full_batch_is_sent_and_the_next_one_begun(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    async with worker(most_requests=4) as one:
        await ask_all(one.claude, questions(10))
    assert (await stand_in.stats()).batches == 3
    await check_paid_once(stand_in, 10)


async def test_the_same_request_is_sent_once_and_its_cost_is_told_once(
    worker: OpenWorker, stand_in: ClaudeStandIn
) -> None:
    async with worker() as one:
        replies = await ask_all(one.claude, [question_about("a.py")] * 3)
    assert sum(len(reply.calls) for reply in replies) == 1
    await check_paid_once(stand_in, 1)


async def test_expired_and_failed_requests_are_asked_again(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    await stand_in.set_faults(
        Fault(kind=FaultKind.BATCH_EXPIRED, times=2, path="file_1"),
        Fault(kind=FaultKind.OVERLOADED, path="_2", times=1),
    )
    async with worker() as one:
        await ask_all(one.claude, questions(4))
    assert (await stand_in.stats()).batches == 3
    await check_paid_once(stand_in, 4)


async def test_a_request_that_never_gets_an_answer_fails_alone(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.BATCH_EXPIRED, path="file_1"))
    async with worker(tries=2) as one:
        good, bad = await asyncio.gather(*map(one.claude.ask, questions(2)), return_exceptions=True)
    assert isinstance(good, ClaudeReply)
    assert isinstance(bad, ClaudeFailed)
    assert not isinstance(bad, NoMoreAnswers)
    assert (bad.code, bad.retryable) == (FailureCode.CLAUDE_UNAVAILABLE, True)


async def test_a_bad_request_fails_alone_and_is_not_asked_again(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.BAD_REQUEST, path="file_1"))
    async with worker() as one:
        good, bad = await asyncio.gather(*map(one.claude.ask, questions(2)), return_exceptions=True)
    assert isinstance(good, ClaudeReply)
    assert isinstance(bad, ClaudeFailed)
    assert not isinstance(bad, PromptTooLong)
    assert bad.code == FailureCode.CLAUDE_BAD_REQUEST
    assert (await stand_in.stats()).batches == 1


async def test_a_refused_key_ends_all(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    async with worker(key="another-key") as one:
        answers = await asyncio.gather(*map(one.claude.ask, questions(2)), return_exceptions=True)
    assert all(isinstance(answer, NoMoreAnswers) for answer in answers)
    async with worker() as one:
        await ask_all(one.claude, questions(2))
    await check_paid_once(stand_in, 2)


@pytest.mark.parametrize("fault", [FaultKind.BATCH_NOT_MADE, FaultKind.BATCH_ANSWER_LOST, FaultKind.BATCH_REFUSED])
async def test_a_batch_whose_creation_goes_wrong_is_made_once(
    worker: OpenWorker, stand_in: ClaudeStandIn, fault: FaultKind
) -> None:
    await stand_in.set_faults(Fault(kind=fault, times=1))
    async with worker() as one:
        await ask_all(one.claude, questions(3))
    assert (await stand_in.stats()).by_fault[fault] == 1
    assert (await stand_in.stats()).batches == 1
    await check_paid_once(stand_in, 3)


async def test_results_that_end_in_the_middle_are_read_again(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.BATCH_RESULTS_CUT, times=2))
    async with worker() as one:
        await ask_all(one.claude, questions(5))
    await check_paid_once(stand_in, 5)


async def test_a_batch_of_somebody_else_is_not_taken_for_ours(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    """As large, and made at the same time: it is waited for, looked into, and left alone."""
    await stand_in.set_faults(batch_latency=0.5)
    await make_batch_of_somebody_else(stand_in)
    await stand_in.set_faults(Fault(kind=FaultKind.BATCH_NOT_MADE, times=1))
    async with worker() as one:
        await one.claude.ask(question_about("a.py"))
    assert (await stand_in.stats()).batches == 2


async def test_a_worker_that_leaves_is_not_held_and_the_next_one_takes_up(
    worker: OpenWorker, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(batch_latency=0.4)
    async with worker() as one:
        asking = [asyncio.create_task(one.claude.ask(request)) for request in questions(3)]
        await wait_until(lambda: sent_in(stand_in, 1), "the batch was sent")
        one.claude.leave()
        answers = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(answer, WorkerStopping) for answer in answers)
    async with worker("worker-2") as two:
        replies = await ask_all(two.claude, questions(3))
    assert sum(len(reply.calls) for reply in replies) == 3
    await check_paid_once(stand_in, 3)


async def test_the_same_answer_read_twice_is_the_same_call(worker: OpenWorker, stand_in: ClaudeStandIn) -> None:
    async with worker() as one:
        first = await one.claude.ask(question_about("a.py"))
    async with worker("worker-2") as two:
        second = await two.claude.ask(question_about("a.py"))
    assert first == second
    await check_paid_once(stand_in, 1)


async def test_batches_of_a_job_can_be_cancelled(
    worker: OpenWorker, stand_in: ClaudeStandIn, backends: Backends, job_id: str
) -> None:
    await stand_in.set_faults(batch_latency=60)
    async with worker() as one:
        asking = asyncio.create_task(one.claude.ask(question_about("a.py")))
        await wait_until(lambda: is_written_down(backends, job_id), "the batch is known")
        one.claude.leave()
        await one.claude.cancel_batches()
        with pytest.raises(WorkerStopping):
            await asking
    stats = await stand_in.stats()
    assert (stats.batches, stats.batch_cancels, stats.batch_answers) == (1, 1, {})


async def sent_in(stand_in: ClaudeStandIn, number: int) -> bool:
    return (await stand_in.stats()).batches >= number


async def is_written_down(backends: Backends, job_id: str) -> bool:
    return bool(await backends.batches.open_batches(job_id))


async def make_batch_of_somebody_else(stand_in: ClaudeStandIn) -> None:
    import anthropic

    async with anthropic.AsyncAnthropic(api_key=stand_in.key, base_url=stand_in.url) as sdk:
        await sdk.messages.batches.create(
            requests=[
                {
                    "custom_id": "theirs",
                    "params": {
                        "model": "claude-sonnet-5-5",
                        "max_tokens": 10,
                        "messages": [{"role": "user", "content": "hello"}],
                    },
                }
            ]
        )
