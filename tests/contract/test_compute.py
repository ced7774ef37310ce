"""What every Compute promises."""

import json
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cody_backends.aws.clients import Aws
from cody_backends.aws.compute import open_batch_compute
from cody_backends.aws.settings import AwsSettings, BatchSettings
from cody_backends.processes.compute import WorkerProgram, open_processes
from cody_jobs.ports import Compute, ComputeRequest, ShardReport, ShardState
from cody_stand_ins.batch import BatchStandIn, batch_stand_in
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import create_job_queue, environment_of
from tests.support.wait import wait_until

PATIENT, IMPATIENT = 20.0, 0.5
"""Seconds of grace: workers that end when they are asked to are never killed, however busy the machine is."""
AT_ONCE = 2
PROGRAMS = Path(__file__).parent / "programs"


class Room:
    """A Compute of two places, and the notes that its workers leave."""

    def __init__(self, compute: Compute, notes: Path) -> None:
        self.compute = compute
        self.notes = notes

    async def start(self, job_id: str = "job-1", *, shards: int = 1, attempt: int = 1, **plans: str) -> str:
        """`PLAN="exit 3"` for every shard, `PLAN_2="wait"` for one of them."""
        request = ComputeRequest(
            job_id=job_id, attempt=attempt, shards=shards, environment={"NOTES": str(self.notes), **plans}
        )
        return await self.compute.start(request)

    def begun(self) -> set[str]:
        return {path.stem for path in self.notes.glob("*.json")}

    def note(self, shard: str) -> Mapping[str, Any]:
        return json.loads((self.notes / f"{shard}.json").read_text())

    def let_go(self, shard: str) -> None:
        (self.notes / f"go {shard}").touch()

    async def report(self, compute_id: str, index: int = 0) -> ShardReport:
        return (await self.compute.describe(compute_id, [index]))[index]

    async def has_begun(self, *shards: str) -> None:
        await wait_until(lambda: self.begun() >= set(shards), f"{shards} have begun")

    async def ended(self, compute_id: str, index: int = 0) -> ShardReport:
        async def end() -> ShardReport | None:
            report = await self.report(compute_id, index)
            return report if report.state in {ShardState.SUCCEEDED, ShardState.FAILED} else None

        found = await wait_until(end, f"shard {index} of {compute_id} has ended")
        assert found
        return found


@pytest.fixture
def grace() -> float:
    return PATIENT


@pytest.fixture(scope="session")
async def running_batch() -> AsyncGenerator[BatchStandIn]:
    entry = "import os, sys, contract_worker; sys.exit(contract_worker.run(sys.argv[1:], os.environ))"
    async with batch_stand_in(entrypoint=("-c", entry), environment={"PYTHONPATH": str(PROGRAMS)}) as stand_in:
        yield stand_in


@asynccontextmanager
async def _open_processes(folder: Path, grace: float) -> AsyncGenerator[Compute]:
    worker = WorkerProgram(
        entry="contract_worker:run",
        preload=(),
        environment={"PYTHONPATH": str(PROGRAMS), "GIVEN_TO_ALL": "yes", "AWS_BATCH_JOB_ARRAY_INDEX": "7"},
    )
    async with open_processes(worker, at_once=AT_ONCE, folder=folder / "workers", grace=grace) as compute:
        yield compute


@asynccontextmanager
async def _open_batch(stand_in: BatchStandIn, grace: float) -> AsyncGenerator[Compute]:
    """The grace is AWS's own: nothing of ours is tested where it is short."""
    await stand_in.reset()
    await stand_in.set_grace(grace)
    with environment_of(AwsServer(stand_in.url).environment("batch", "cloudwatch_logs")):
        aws, settings = Aws(AwsSettings(aws_region=REGION)), BatchSettings()
        await create_job_queue(aws, settings, vcpus=AT_ONCE, environment={"GIVEN_TO_ALL": "yes"})
        async with open_batch_compute(aws, settings, calls_per_second=1000) as compute:
            yield compute


@pytest.fixture(params=["processes", "batch"])
def opening(request: pytest.FixtureRequest, tmp_path: Path, grace: float) -> AbstractAsyncContextManager[Compute]:
    if request.param == "processes":
        return _open_processes(tmp_path, grace)
    return _open_batch(request.getfixturevalue("running_batch"), grace)


@pytest.fixture
async def room(opening: AbstractAsyncContextManager[Compute], tmp_path: Path) -> AsyncGenerator[Room]:
    notes = tmp_path / "notes"
    notes.mkdir()
    async with opening as compute:
        yield Room(compute, notes)


async def test_it_answers(room: Room) -> None:
    await room.compute.ping()


async def test_a_single_worker_gets_arguments_and_environment_without_an_index(room: Room) -> None:
    compute_id = await room.start("job-1", attempt=3, TRACEPARENT="00-trace-parent-01")
    assert (await room.ended(compute_id)).state is ShardState.SUCCEEDED
    note = room.note("job-1 0")
    assert note["arguments"] == ["--job-id", "job-1", "--attempt", "3"]
    assert note["environment"]["TRACEPARENT"] == "00-trace-parent-01"
    assert note["environment"]["GIVEN_TO_ALL"] == "yes"
    assert note["environment"]["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert note["environment"]["AWS_BATCH_JOB_ID"] == compute_id
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in note["environment"]


async def test_several_workers_differ_in_their_index_alone(room: Room) -> None:
    compute_id = await room.start(shards=3)
    for index in range(3):
        assert await room.ended(compute_id, index) == ShardReport(state=ShardState.SUCCEEDED, exit_code=0, reason=None)
    environments = [room.note(f"job-1 {index}")["environment"] for index in range(3)]
    assert [environment.pop("AWS_BATCH_JOB_ARRAY_INDEX") for environment in environments] == ["0", "1", "2"]
    assert [environment.pop("AWS_BATCH_JOB_ID") for environment in environments] == [
        f"{compute_id}:{index}" for index in range(3)
    ]
    assert environments[0] == environments[1] == environments[2]


@pytest.mark.parametrize("exit_code", [1, 2, 75])
async def test_an_exit_code_is_told(room: Room, exit_code: int) -> None:
    report = await room.ended(await room.start(PLAN=f"exit {exit_code}"))
    assert (report.state, report.exit_code) == (ShardState.FAILED, exit_code)


async def test_a_worker_that_dies_harms_no_other(room: Room) -> None:
    compute_id = await room.start(shards=2, PLAN="wait", PLAN_0="die")
    report = await room.ended(compute_id)
    assert (report.state, report.exit_code) == (ShardState.FAILED, 128 + signal.SIGKILL)
    assert report.reason is not None
    assert "SIGKILL" in report.reason
    room.let_go("job-1 1")
    assert (await room.ended(compute_id, 1)).state is ShardState.SUCCEEDED


async def test_the_reason_of_a_failure_is_its_last_lines_without_secrets(room: Room) -> None:
    lines = [f"line {number}" for number in range(30)]
    said = "|".join([*lines, "key sk-ant-abcdefgh12345678 was refused"])
    report = await room.ended(await room.start(PLAN=f"say {said}"))
    assert report.reason is not None
    assert report.reason.splitlines() == [*lines[-19:], "key [secret] was refused"]


async def test_what_has_no_place_yet_waits_in_order(room: Room) -> None:
    compute_id = await room.start(shards=4, PLAN="wait")
    await room.has_begun("job-1 0", "job-1 1")
    states = [report.state for report in (await room.compute.describe(compute_id, range(4))).values()]
    assert states == [ShardState.RUNNING, ShardState.RUNNING, ShardState.WAITING, ShardState.WAITING]
    room.let_go("job-1 1")
    await room.has_begun("job-1 2")
    assert (await room.report(compute_id, 3)).state is ShardState.WAITING
    for index in (0, 2, 3):
        room.let_go(f"job-1 {index}")
    assert (await room.ended(compute_id, 3)).state is ShardState.SUCCEEDED
    assert (await room.report(compute_id, 1)).state is ShardState.SUCCEEDED


@pytest.mark.parametrize("opening", ["processes"], indirect=True)  # on AWS, the job queue's scheduling policy says so
async def test_a_large_job_does_not_keep_a_small_one_waiting(room: Room) -> None:
    await room.start("job-large", shards=5, PLAN="wait")
    await room.has_begun("job-large 0", "job-large 1")
    await room.start("job-small", PLAN="wait")
    room.let_go("job-large 0")
    await room.has_begun("job-large 2")
    room.let_go("job-large 1")
    await room.has_begun("job-small 0")
    assert room.begun() == {"job-large 0", "job-large 1", "job-large 2", "job-small 0"}


async def test_stopping_asks_workers_to_end_and_starts_no_more(room: Room) -> None:
    compute_id = await room.start(shards=3, PLAN="give_back")
    await room.has_begun("job-1 0", "job-1 1")
    await room.compute.stop(compute_id)
    assert [(await room.ended(compute_id, index)).exit_code for index in range(3)] == [75, 75, None]
    assert room.begun() == {"job-1 0", "job-1 1"}


async def test_stopping_some_leaves_the_others(room: Room) -> None:
    compute_id = await room.start(shards=4, PLAN="wait", PLAN_1="give_back")
    await room.has_begun("job-1 0", "job-1 1")
    await room.compute.stop(compute_id, indexes=[1, 2])
    assert (await room.ended(compute_id, 1)).exit_code == 75
    assert (await room.ended(compute_id, 2)).exit_code is None
    await room.has_begun("job-1 3")
    for index in (0, 3):
        room.let_go(f"job-1 {index}")
        assert (await room.ended(compute_id, index)).state is ShardState.SUCCEEDED


@pytest.mark.parametrize("grace", [IMPATIENT])
async def test_what_does_not_end_after_the_grace_is_killed(room: Room) -> None:
    compute_id = await room.start(PLAN="stubborn")
    await room.has_begun("job-1 0")
    await room.compute.stop(compute_id)
    assert (await room.ended(compute_id)).exit_code == 128 + signal.SIGKILL


async def test_stopping_again_or_too_late_does_nothing(room: Room) -> None:
    compute_id = await room.start()
    await room.ended(compute_id)
    await room.compute.stop(compute_id)
    await room.compute.stop(compute_id)
    await room.compute.stop("never heard of")
    assert (await room.report(compute_id)).state is ShardState.SUCCEEDED


async def test_what_it_never_heard_of_is_unknown(room: Room) -> None:
    unknown = ShardReport(state=ShardState.UNKNOWN, exit_code=None, reason=None)
    assert await room.compute.describe("never heard of", [0, 5]) == {0: unknown, 5: unknown}
    compute_id = await room.start()
    assert (await room.compute.describe(compute_id, [0, 1]))[1] == unknown


async def test_the_same_request_again_is_another_compute_job(room: Room) -> None:
    first = await room.start(PLAN="wait")
    second = await room.start(PLAN="exit 3")
    assert first != second
    assert (await room.ended(second)).exit_code == 3
    assert (await room.report(first)).state is ShardState.RUNNING
