"""kill -9 in the middle of a job: it ends with the patches that it has to end with (the oracle's, as undisturbed jobs
do), and Claude is asked again at most for the files that were in flight."""

import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_jobs.models import FailureCode, RunStatus
from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import Libraries, environment_for
from tests.story.system import System, running_system
from tests.story.test_one_change_in_many_libraries import PROMPT, check_patches
from tests.support.wait import wait_until

NAMES = ("libraries/rich", "libraries/pydantic", "libraries/rich_click", "libraries/asyncpg", "libraries/pathspec")
FILES_AT_ONCE = 8
EVERY_FILE = {"include": ["*.py"]}
"""Patterns of the job's own: with a plan, too few files would be asked about for a middle to be killed in."""


@pytest.fixture
async def backends(backend_settings: BackendSettings) -> AsyncGenerator[Backends]:
    async with open_backends(backend_settings) as opened:
        yield opened


@pytest.fixture
async def slow_system(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, libraries: Libraries
) -> AsyncGenerator[System]:
    """Claude takes a while, so that there is a middle to be killed in; two workers share the five repositories."""
    await stand_in.set_faults(latency=0.1)
    environment = environment_for(database_url, stand_in, libraries.root)
    environment |= {"REPOSITORIES_PER_WORKER": "3", "FILES_AT_ONCE": str(FILES_AT_ONCE)}
    async with running_system(tmp_path, environment) as system:
        yield system


async def test_killed_workers_lose_nothing(
    slow_system: System, backends: Backends, stand_in: ClaudeStandIn, tmp_path: Path, libraries: Libraries
) -> None:
    job_id = await started(slow_system, stand_in)
    killed = await kill_workers(backends, job_id)
    await check_same_end(slow_system, stand_in, tmp_path, libraries, job_id, in_flight=FILES_AT_ONCE * len(killed))
    assert {run.losses for run in await runs(backends, job_id)} <= {0, 1}


async def test_workers_that_are_asked_to_stop_store_what_is_in_flight(
    slow_system: System, backends: Backends, stand_in: ClaudeStandIn, tmp_path: Path, libraries: Libraries
) -> None:
    job_id = await started(slow_system, stand_in)
    await kill_workers(backends, job_id, signal.SIGTERM)
    await check_same_end(slow_system, stand_in, tmp_path, libraries, job_id, in_flight=0)
    ended = await runs(backends, job_id)
    assert {run.losses for run in ended} == {0}
    assert max(run.attempt for run in ended) > 1


async def test_a_killed_dispatcher_loses_nothing(
    slow_system: System, stand_in: ClaudeStandIn, tmp_path: Path, libraries: Libraries
) -> None:
    job_id = await started(slow_system, stand_in)
    await slow_system.kill("cody_dispatcher")
    await slow_system.start("cody_dispatcher")
    await check_same_end(slow_system, stand_in, tmp_path, libraries, job_id, in_flight=2 * FILES_AT_ONCE)


async def test_a_killed_api_loses_nothing(
    slow_system: System, stand_in: ClaudeStandIn, tmp_path: Path, libraries: Libraries
) -> None:
    job_id = await started(slow_system, stand_in)
    await slow_system.kill("cody_api")
    await slow_system.start("cody_api")
    await check_same_end(slow_system, stand_in, tmp_path, libraries, job_id, in_flight=0)


async def test_everything_killed_at_once_loses_nothing(
    slow_system: System, backends: Backends, stand_in: ClaudeStandIn, tmp_path: Path, libraries: Libraries
) -> None:
    job_id = await started(slow_system, stand_in)
    killed = await kill_workers(backends, job_id)
    await slow_system.kill("cody_dispatcher")
    await slow_system.kill("cody_api")
    await slow_system.start("cody_dispatcher", "cody_api")
    await check_same_end(slow_system, stand_in, tmp_path, libraries, job_id, in_flight=FILES_AT_ONCE * len(killed))


async def test_a_run_that_kills_its_worker_each_time_fails_alone(
    slow_system: System, backends: Backends, stand_in: ClaudeStandIn
) -> None:
    poison, *others = NAMES
    job_id = await slow_system.submit(NAMES, PROMPT, **EVERY_FILE)

    async def poison_has_ended() -> bool:
        run = await backends.jobs.get_run(job_id, poison)
        if run.status is RunStatus.RUNNING and run.lease_owner is not None:
            kill_owner(run.lease_owner)
        return run.status is RunStatus.FAILED

    await wait_until(poison_has_ended, "the poisonous run has failed", timeout=120)
    job = await slow_system.ended(job_id)
    assert job["status"] == "PARTIALLY_SUCCEEDED"
    run = await backends.jobs.get_run(job_id, poison)
    assert run.failure is not None
    assert (run.failure.code, run.losses) == (FailureCode.WORKER_LOST, 3)
    for name in others:
        assert (await backends.jobs.get_run(job_id, name)).status is RunStatus.SUCCEEDED


async def started(system: System, stand_in: ClaudeStandIn) -> str:
    """A job in its middle: a part of its files is answered, most are not."""
    job_id = await system.submit(NAMES, PROMPT, **EVERY_FILE)

    async def in_the_middle() -> bool:
        return (await stand_in.stats()).answered >= 60

    await wait_until(in_the_middle, "the job is in its middle", timeout=60)
    return job_id


async def kill_workers(backends: Backends, job_id: str, number: int = signal.SIGKILL) -> set[str]:
    owners = {run.lease_owner for run in await runs(backends, job_id) if run.status is RunStatus.RUNNING}
    held = {owner for owner in owners if owner is not None}
    assert held, "no worker is at work"
    for owner in held:
        kill_owner(owner, number)
    return held


def kill_owner(lease_owner: str, number: int = signal.SIGKILL) -> None:
    """`lease_owner` is host:pid:random."""
    try:
        os.kill(int(lease_owner.split(":")[1]), number)
    except ProcessLookupError:
        return  # killed a moment ago: its lease is still written down


async def runs(backends: Backends, job_id: str):
    return (await backends.jobs.list_runs(job_id, status=None, limit=100, cursor=None)).items


async def check_same_end(
    system: System,
    stand_in: ClaudeStandIn,
    folder: Path,
    libraries: Libraries,
    job_id: str,
    *,
    in_flight: int,
) -> None:
    job = await system.ended(job_id)
    assert job["status"] == "SUCCEEDED", job
    stats = await stand_in.stats()
    again = sum(question.count - 1 for question in stats.questions)
    assert again <= in_flight, f"{again} files were asked about again, {in_flight} were in flight"
    patches = {name: await system.diff(job_id, name) for name in NAMES}
    assert None not in patches.values()
    check_patches(folder, libraries, patches)
