import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from cody_backends.open_compute import ComputeSettings, open_compute
from cody_backends.processes.compute import ProcessCompute, WorkerProgram, open_processes
from cody_backends.processes.ownership import own_compute, owner_lives
from cody_backends.settings import BackendSettings
from cody_jobs.errors import Unavailable
from cody_jobs.ports import ComputeRequest, ShardReport, ShardState
from tests.support.wait import wait_until

PROGRAMS = Path(__file__).parents[3] / "contract" / "programs"


@asynccontextmanager
async def opened(
    folder: Path, *, entry: str = "contract_worker:run", said: list[str] | None = None, ended_kept: int = 1000
) -> AsyncGenerator[ProcessCompute]:
    (folder / "notes").mkdir(exist_ok=True)
    worker = WorkerProgram(
        entry=entry, preload=(), environment={"PYTHONPATH": str(PROGRAMS), "NOTES": str(folder / "notes")}
    )
    lines: list[str] = [] if said is None else said
    async with open_processes(
        worker, at_once=2, folder=folder / "workers", grace=20, ended_kept=ended_kept, forward=lines.append
    ) as compute:
        yield compute


def request(job_id: str = "job-1", *, shards: int = 1, **environment: str) -> ComputeRequest:
    return ComputeRequest(job_id=job_id, attempt=1, shards=shards, environment=environment)


async def ended(compute: ProcessCompute, compute_id: str, index: int = 0) -> ShardReport:
    async def end() -> ShardReport | None:
        report = (await compute.describe(compute_id, [index]))[index]
        return report if report.state in {ShardState.SUCCEEDED, ShardState.FAILED} else None

    found = await wait_until(end, f"shard {index} of {compute_id} has ended")
    assert found
    return found


async def begun(folder: Path, shard: str = "job-1 0") -> None:
    await wait_until((folder / "notes" / f"{shard}.json").exists, f"{shard} has begun")


def fork_server() -> psutil.Process:
    return next(
        child for child in psutil.Process().children() if "cody_backends.processes.child:run_child" in child.cmdline()
    )


async def test_what_workers_say_is_passed_on_line_by_line_and_without_losing_the_end(tmp_path: Path) -> None:
    said: list[str] = []
    async with opened(tmp_path, said=said) as compute:
        await ended(compute, await compute.start(request(PLAN="say one|two|no newline at the end")))
    assert said == ["one", "two", "no newline at the end"]


async def test_a_line_without_end_is_passed_on_in_pieces(tmp_path: Path) -> None:
    said: list[str] = []
    async with opened(tmp_path, said=said) as compute:
        report = await ended(compute, await compute.start(request(PLAN=f"say {'x' * 100_000}")))
    assert "".join(said) == "x" * 100_000
    assert len(said) > 1
    assert report.reason is not None
    assert len(report.reason) <= 20_100


async def test_closing_stops_workers_and_forgets_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as compute:
        compute_id = await compute.start(request(shards=3, PLAN="give_back"))
        await begun(tmp_path)
        await begun(tmp_path, "job-1 1")
    reports = await compute.describe(compute_id, range(3))
    assert [report.exit_code for report in reports.values()] == [75, 75, None]
    assert not (tmp_path / "notes" / "job-1 2.json").exists()
    with pytest.raises(Unavailable):
        await compute.start(request())
    with pytest.raises(Unavailable):
        await compute.ping()


async def test_a_lost_fork_server_is_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path) as compute:
        compute_id = await compute.start(request(PLAN="wait"))
        await begun(tmp_path)
        fork_server().kill()
        report = await ended(compute, compute_id)
        assert (report.state, report.exit_code) == (ShardState.FAILED, None)
        with pytest.raises(Unavailable):
            await compute.ping()
        again = await ended(compute, await compute.start(request(PLAN="exit 0")))
        assert again.state is ShardState.SUCCEEDED
        await compute.ping()


async def test_a_worker_program_that_is_not_there_fails_its_shards(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path, entry="no_such_worker:run") as compute:
        for _ in range(2):
            report = await ended(compute, await compute.start(request()))
            assert (report.state, report.exit_code) == (ShardState.FAILED, None)
    assert "No module named 'no_such_worker'" in capfd.readouterr().err


async def test_ended_compute_jobs_are_forgotten_after_a_while(tmp_path: Path) -> None:
    async with opened(tmp_path, ended_kept=3) as compute:
        running = await compute.start(request(PLAN="wait"))
        compute_ids = [await compute.start(request(f"job-{number}")) for number in range(5)]
        await ended(compute, compute_ids[-1])
        states = [(await compute.describe(compute_id, [0]))[0].state for compute_id in [running, *compute_ids]]
    assert states == [ShardState.RUNNING] + 2 * [ShardState.UNKNOWN] + 3 * [ShardState.SUCCEEDED]


async def test_descriptors_do_not_leak(tmp_path: Path) -> None:
    async with opened(tmp_path) as compute:
        await ended(compute, await compute.start(request()))
        before = psutil.Process().num_fds()
        compute_id = await compute.start(request(shards=40))
        await ended(compute, compute_id, 39)
        await ended(compute, compute_id, 38)
        await wait_until(lambda: psutil.Process().num_fds() == before, "all pipes are closed")


async def test_another_process_knows_whether_a_worker_lives(tmp_path: Path) -> None:
    async with opened(tmp_path) as other:
        async with opened(tmp_path) as compute:
            compute_id = await compute.start(request(PLAN="wait"))
            await begun(tmp_path)
            assert (await other.describe(compute_id, [0]))[0].state is ShardState.RUNNING
            await other.stop(compute_id)
            assert (await compute.describe(compute_id, [0]))[0].state is ShardState.RUNNING
        assert (await other.describe(compute_id, [0]))[0].state is ShardState.UNKNOWN
    assert list((tmp_path / "workers").iterdir()) == []


def test_an_owner_lives_as_long_as_a_child_of_its(tmp_path: Path) -> None:
    with own_compute(tmp_path) as owner:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[owner.lock])
        compute_id = owner.compute_id(1)
        assert owner_lives(tmp_path, compute_id)
        (lock_file,) = tmp_path.iterdir()
        os.link(lock_file, tmp_path / "kept")
    # What a SIGKILL leaves: the file is still there, and a child that has not ended yet.
    (tmp_path / "kept").rename(lock_file)
    assert owner_lives(tmp_path, compute_id)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not owner_lives(tmp_path, compute_id)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compute_id", ["", "processes-", "processes-../../etc/passwd-1", "arn:aws:batch:x"])
def test_an_id_of_somebody_else_names_no_file(tmp_path: Path, compute_id: str) -> None:
    assert not owner_lives(tmp_path, compute_id)


async def test_the_settings_say_what_workers_run_and_the_parents_pipe_is_not_theirs(tmp_path: Path) -> None:
    settings = ComputeSettings(workers_at_once=1, worker_entry="contract_worker:run", worker_preload=("json",))
    backend = BackendSettings(cody_data=str(tmp_path))
    environment = {"PYTHONPATH": str(PROGRAMS), "NOTES": str(tmp_path), "CODY_PARENT_PIPE": "9"}
    async with open_compute(settings, backend, environment=environment) as compute:
        await compute.start(request())
        await wait_until((tmp_path / "job-1 0.json").exists, "the worker has begun")
    assert "CODY_PARENT_PIPE" not in (tmp_path / "job-1 0.json").read_text()
    assert "NOTES" in (tmp_path / "job-1 0.json").read_text()
