"""Caps hold in batches, and what is reserved for a request is the next worker's."""

import asyncio

from cody_backends.open_backends import Backends
from cody_jobs.ports.money_store import Caps
from cody_stand_ins.claude import ClaudeStandIn
from cody_worker.claude import Claude, ClaudeReply
from cody_worker.claude.batches.batched_claude import BatchedClaude
from cody_worker.claude.prices import Prices
from cody_worker.money import Budget
from cody_worker.money.budget import JobCapReached
from cody_worker.money.purse import Waiting
from cody_worker.worker_stopping import WorkerStopping
from tests.support.wait import wait_until
from tests.unit.cody_worker.claude.batches.conftest import OpenWorker, question_about

REPOSITORY = "acme/one"


def paying(claude: BatchedClaude, backends: Backends, job_id: str, cap: int, owner: str) -> Claude:
    budget = Budget(
        claude,
        backends.money,
        Prices(),
        job_id=job_id,
        caps=Caps(job=cap),
        owner=owner,
        name=claude.name,
        batch=True,
        waiting=Waiting(poll=0.05, patience=5.0),
    )
    return budget.for_file(REPOSITORY, "a.py")


async def test_a_cap_holds_over_several_batches(
    worker: OpenWorker, backends: Backends, stand_in: ClaudeStandIn, job_id: str
) -> None:
    requests = [question_about(f"f{number}.py") for number in range(12)]
    async with worker() as one:
        claude = paying(one.claude, backends, job_id, 30_000, "worker-1")
        answers = await asyncio.gather(*map(claude.ask, requests), return_exceptions=True)
    replies = [answer for answer in answers if isinstance(answer, ClaudeReply)]
    spent = sum(call.cost_microusd for reply in replies for call in reply.calls)
    balance = await backends.money.balance(job_id)
    assert (balance.spent, balance.reserved) == (spent, 0)
    assert 0 < spent <= 30_000
    assert all(isinstance(answer, ClaudeReply | JobCapReached) for answer in answers)
    assert (await stand_in.stats()).batches > 1


async def test_money_reserved_by_a_worker_that_left_is_not_reserved_again(
    worker: OpenWorker, backends: Backends, stand_in: ClaudeStandIn, job_id: str
) -> None:
    await stand_in.set_faults(batch_latency=0.3)
    cap = 40_000  # one request fits, and two do not
    async with worker() as one:
        claude = paying(one.claude, backends, job_id, cap, "worker-1")
        asking = asyncio.create_task(claude.ask(question_about("a.py")))
        await wait_until(lambda: backends.batches.open_batches(job_id), "the batch is known")
        one.claude.leave()
        assert isinstance((await asyncio.gather(asking, return_exceptions=True))[0], WorkerStopping)
    assert (await backends.money.balance(job_id)).reserved > cap / 2
    async with worker("worker-2") as two:
        reply = await paying(two.claude, backends, job_id, cap, "worker-2").ask(question_about("a.py"))
    balance = await backends.money.balance(job_id)
    assert (balance.spent, balance.reserved) == (reply.calls[0].cost_microusd, 0)
