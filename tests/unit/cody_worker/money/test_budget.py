"""Every call is paid for in advance, and costs its caps no more than it has cost."""

import asyncio
from contextlib import suppress

import pytest

from cody_backends.postgres.money_store import PostgresMoneyStore
from cody_jobs.models import FailureCode
from cody_jobs.ports.money_store import NO_CAPS, Balance, Caps
from cody_worker.claude import BrokeOff, ClaudeFailed, ClaudeReply, ClaudeRequest, StopReason
from cody_worker.claude.prices import Prices
from cody_worker.money import JobCapReached
from cody_worker.money.budget import LEAST_OUTPUT_TOKENS
from cody_worker.money.prompt_size import most_prompt_tokens
from tests.support.wait import wait_until
from tests.unit.cody_worker.money.conftest import JOB, MODEL, REPOSITORY, OpenBudget, PayingClaude, asked

_CALL = Prices().most(MODEL, prompt_tokens=most_prompt_tokens(asked()), output_tokens=10_000)
_LEAST = Prices().most(MODEL, prompt_tokens=most_prompt_tokens(asked()), output_tokens=LEAST_OUTPUT_TOKENS)


def test_without_a_cap_nothing_stands_between(budget_with: OpenBudget, claude: PayingClaude) -> None:
    assert budget_with(NO_CAPS).for_file(REPOSITORY, "a.py") is claude
    assert budget_with(Caps(file=1, repository=1)).for_file("", "(plan)") is claude


async def test_while_a_call_is_on_its_way_the_most_it_can_cost_is_reserved_and_then_what_it_cost_is_spent(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    claude.answering.clear()
    file = budget_with(Caps(job=_CALL)).for_file(REPOSITORY, "a.py")
    assert file.max_output_tokens == claude.max_output_tokens
    asking = asyncio.create_task(file.ask(asked()), name="ask")
    await wait_until(lambda: claude.requests, "Claude is asked")
    assert await money.balance(JOB) == Balance(reserved=_CALL)
    claude.answering.set()
    reply = await asking
    assert await money.balance(JOB) == Balance(spent=reply.calls[0].cost_microusd) == Balance(spent=claude.spent)


async def test_what_a_failed_call_has_cost_is_spent(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    async def fail(_: ClaudeRequest) -> ClaudeReply:
        raise ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, "no", calls=(claude.call(10, 20),))

    claude.answer = fail
    with pytest.raises(ClaudeFailed, match="no") as failed:
        await budget_with(Caps(job=_CALL)).for_file(REPOSITORY, "a.py").ask(asked())
    assert len(failed.value.calls) == 1
    assert await money.balance(JOB) == Balance(spent=claude.spent)


async def test_a_call_that_was_cancelled_counts_in_full_because_nobody_knows_what_it_cost(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    claude.answering.clear()
    asking = asyncio.create_task(budget_with(Caps(job=_CALL)).for_file(REPOSITORY, "a.py").ask(asked()), name="ask")
    await wait_until(lambda: claude.requests, "Claude is asked")
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert await money.balance(JOB) == Balance(reserved=_CALL)


async def test_who_is_cancelled_before_the_call_holds_nothing(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    for steps in range(12):
        asking = asyncio.create_task(budget_with(Caps(job=_CALL)).for_file(REPOSITORY, "a.py").ask(asked()), name="ask")
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    assert not claude.requests
    assert await money.balance(JOB) == Balance()


async def test_where_the_whole_reply_cannot_be_paid_for_a_shorter_one_is_asked_for(
    budget_with: OpenBudget, claude: PayingClaude
) -> None:
    cap = _CALL - 5_000 * 10
    await budget_with(Caps(file=cap)).for_file(REPOSITORY, "a.py").ask(asked())
    assert claude.requests[0].max_output_tokens == 5_000


async def test_a_reply_that_became_too_short_for_a_cap_is_a_matter_of_the_cap(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    async def cut_off(request: ClaudeRequest) -> ClaudeReply:
        return claude.reply(claude.call(100, request.max_output_tokens), stop=StopReason.MAX_TOKENS)

    claude.answer = cut_off
    with pytest.raises(ClaudeFailed, match="too short") as failed:
        await budget_with(Caps(file=_LEAST)).for_file(REPOSITORY, "a.py").ask(asked())
    assert (failed.value.code, failed.value.retryable) == (FailureCode.COST_CAP_REACHED, True)
    assert sum(call.cost_microusd for call in failed.value.calls) == claude.spent
    assert await money.balance(JOB, REPOSITORY, "a.py") == Balance(spent=claude.spent)


@pytest.mark.parametrize(
    ("caps", "level"),
    [
        (Caps(file=_LEAST - 1), "file"),
        (Caps(repository=_LEAST - 1, file=_CALL), "repository"),
        (Caps(job=_LEAST - 1, file=_CALL), "job"),
    ],
)
async def test_a_call_that_no_cap_can_pay_for_is_not_made(
    budget_with: OpenBudget, claude: PayingClaude, caps: Caps, level: str
) -> None:
    with pytest.raises(ClaudeFailed, match=f"the cap of this {level}") as failed:
        await budget_with(caps).for_file(REPOSITORY, "a.py").ask(asked())
    assert isinstance(failed.value, JobCapReached) is (level == "job")
    assert (failed.value.code, failed.value.retryable) == (FailureCode.COST_CAP_REACHED, True)
    assert not claude.requests


async def test_before_a_call_is_refused_its_tokens_are_counted(budget_with: OpenBudget, claude: PayingClaude) -> None:
    async def count(_: ClaudeRequest) -> int:
        return 2_000

    long = asked("word " * 10_000)
    assert Prices().most(MODEL, prompt_tokens=most_prompt_tokens(long), output_tokens=0) > 100_000
    await budget_with(Caps(file=100_000), count_tokens=count).for_file(REPOSITORY, "a.py").ask(long)
    assert 9_000 < claude.requests[0].max_output_tokens < 10_000


async def test_who_finds_the_money_reserved_waits_until_it_comes_back(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    budget = budget_with(Caps(job=_CALL + 10_000))
    replies = await asyncio.gather(*(budget.for_file(REPOSITORY, f"{n}.py").ask(asked()) for n in range(4)))
    assert [request.max_output_tokens for request in claude.requests] == [10_000] * 4
    assert len(replies) == 4
    assert await money.balance(JOB) == Balance(spent=claude.spent)


async def test_money_that_others_have_reserved_is_waited_for(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    caps = Caps(job=_CALL + 100)
    claude.answering.clear()
    first = budget_with(caps, owner="worker-1").for_file(REPOSITORY, "a.py")
    second = budget_with(caps, owner="worker-2").for_file(REPOSITORY, "b.py")
    asking = [asyncio.create_task(first.ask(asked()), name="first")]
    await wait_until(lambda: claude.requests, "the first one asks")
    asking.append(asyncio.create_task(second.ask(asked()), name="second"))
    claude.prompt, claude.output = 10, 1
    claude.answering.set()
    await asyncio.gather(*asking)
    assert await money.balance(JOB) == Balance(spent=claude.spent)


async def test_what_a_dead_worker_has_reserved_is_not_waited_for_for_ever(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    caps = Caps(job=_CALL)
    await money.reserve(
        "left", job_id=JOB, repository=REPOSITORY, path="z.py", microusd=_CALL - _LEAST, caps=caps, owner="dead"
    )
    budget = budget_with(caps)
    await budget.for_file(REPOSITORY, "a.py").ask(asked())
    assert claude.requests[0].max_output_tokens == LEAST_OUTPUT_TOKENS
    with pytest.raises(JobCapReached, match="are reserved"):
        await budget.for_file(REPOSITORY, "b.py").ask(asked())


async def test_an_attempt_that_broke_off_is_paid_for_and_the_next_one_in_advance_again(
    budget_with: OpenBudget, claude: PayingClaude, money: PostgresMoneyStore
) -> None:
    async def break_off_once(request: ClaudeRequest) -> ClaudeReply:
        assert request.pay_once
        if len(claude.requests) == 1:
            raise BrokeOff(FailureCode.CLAUDE_UNAVAILABLE, "cut", calls=(claude.call(100, 5),))
        return claude.reply(claude.call(100, 200))

    claude.answer = break_off_once
    reply = await budget_with(Caps(job=_CALL + 1_000)).for_file(REPOSITORY, "a.py").ask(asked())
    assert len(reply.calls) == 2
    assert sum(call.cost_microusd for call in reply.calls) == claude.spent
    assert await money.balance(JOB) == Balance(spent=claude.spent)


async def test_after_attempts_that_broke_off_a_cap_may_be_reached(
    budget_with: OpenBudget, claude: PayingClaude
) -> None:
    async def break_off(_: ClaudeRequest) -> ClaudeReply:
        raise BrokeOff(FailureCode.CLAUDE_UNAVAILABLE, "cut", calls=(claude.call(100, 2_000),))

    claude.answer = break_off
    with pytest.raises(ClaudeFailed) as failed:
        await budget_with(Caps(file=_LEAST)).for_file(REPOSITORY, "a.py").ask(asked())
    assert failed.value.code == FailureCode.COST_CAP_REACHED
    assert len(failed.value.calls) == len(claude.requests) == 1
    with pytest.raises(BrokeOff) as broke_off:
        await budget_with(Caps(file=10 * _CALL)).for_file(REPOSITORY, "b.py").ask(asked())
    assert len(broke_off.value.calls) == 5
