"""A job in the economy lane costs half, and is paid for once, whenever its workers die."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_jobs.models import RunStatus
from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind
from tests.story.conftest import environment_for
from tests.story.system import System, running_system
from tests.story.test_processes_are_killed import kill_workers, runs
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

PROMPT = "Rewrite Optional[X] to X | None"
FILES = 10


@pytest.fixture
async def backends(backend_settings: BackendSettings) -> AsyncGenerator[Backends]:
    async with open_backends(backend_settings) as opened:
        yield opened


@pytest.fixture
async def system(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> AsyncGenerator[System]:
    environment = environment_for(database_url, stand_in, repositories)
    environment |= {"LEASE_SECONDS": "3", "ECONOMY_SEARCH_SECONDS": "0.5"}
    async with running_system(tmp_path, environment) as running:
        yield running


def make(repositories: Path, name: str) -> str:
    """Files that exist nowhere else, as long as those of any other name."""
    files = {f"m{number}.py": f"# {name}\nx{number}: Optional[int] = None\n".encode() for number in range(FILES)}
    make_repository(repositories / "acme" / name, files)
    return f"acme/{name}"


async def test_it_costs_half(system: System, stand_in: ClaudeStandIn, repositories: Path) -> None:
    jobs: dict[str, dict[str, Any]] = {}
    for lane in ("standard", "economy"):
        await stand_in.reset()
        name = make(repositories, f"in-{lane:_<8}")
        jobs[lane] = await system.ended(await system.submit([name], PROMPT, lane=lane, include=["*.py"]))
        assert jobs[lane]["status"] == "SUCCEEDED"
        assert (await system.run(jobs[lane]["id"], name))["files"]["edited"] == FILES
    stats = await stand_in.stats()
    assert (stats.batches, stats.messages, len(stats.batch_answers)) == (1, 0, FILES)
    standard, economy = (jobs[lane]["usage"]["costMicrousd"] for lane in ("standard", "economy"))
    assert standard / 2 <= economy <= standard / 2 + FILES


@pytest.mark.parametrize(
    "kinds",
    [(FaultKind.BATCH_SILENT, FaultKind.BATCH_ANSWER_SILENT), (FaultKind.BATCH_RESULTS_SILENT, None)],
    ids=["while it is sent, before and after it was made", "in the middle of its results, and while it is waited for"],
)
async def test_workers_that_are_killed_pay_nothing_twice(
    system: System, backends: Backends, stand_in: ClaudeStandIn, repositories: Path, kinds: tuple[FaultKind | None, ...]
) -> None:
    """Several files share a request here, and a part of a request's answers may be stored already."""
    faults = [Fault(kind=kind, times=1) for kind in kinds if kind is not None]
    await stand_in.set_faults(*faults, batch_latency=0.0 if None not in kinds else 3.0)
    name = make(repositories, "killed")
    job_id = await system.submit([name], PROMPT, lane="economy", plan=LOCAL_PLAN)
    for kind in reversed(kinds) if None in kinds else kinds:
        await wait_until(reached(kind, stand_in, backends, job_id), f"it is the time of {kind}", timeout=60)
        await kill_workers(backends, job_id)
        await wait_until(lambda: nobody_works(backends, job_id), "the loss is seen", timeout=60)
    job = await system.ended(job_id)
    assert job["status"] == "SUCCEEDED", system.log("cody_dispatcher")
    assert (await system.run(job_id, name))["files"]["edited"] == FILES
    stats = await stand_in.stats()
    assert set(stats.batch_answers.values()) == {1}
    assert job["usage"]["calls"] == len(stats.batch_answers)
    assert {stats.asked(f"m{number}.py") for number in range(FILES)} == {1}


LOCAL_PLAN = {
    "include": ["*.py"],
    "matches": ["Optional"],
    "extent": "matches",
}


def reached(
    kind: FaultKind | None, stand_in: ClaudeStandIn, backends: Backends, job_id: str
) -> Callable[[], Awaitable[bool]]:
    async def is_it() -> bool:
        if kind is None:
            return bool(await backends.batches.open_batches(job_id))
        return (await stand_in.stats()).by_fault.get(kind, 0) > 0

    return is_it


async def nobody_works(backends: Backends, job_id: str) -> bool:
    return all(run.status is not RunStatus.RUNNING for run in await runs(backends, job_id))
