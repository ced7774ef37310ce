"""Wall time, CPU and memory of one worker against the ideal, with a stand-in that takes three seconds for an answer.

The ideal is the latency of all requests, one after the other, divided by the files at once: what a worker would need
that costs nothing itself. A request's wait is the stand-in's; everything else (git, SDK, stores, spans) is ours.

    ./dev bench files_at_once [--at-once 1 8 64] [--rounds 20] [--latency 3] [--repositories 4]
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import psutil
from msgspec import Struct

from benchmarks.tables import print_head, print_machine, print_row
from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in
from tests.story.system import System, running_system
from tests.support.repositories import make_repository

PROMPT = "Rewrite Optional[X] to X | None."


class Measured(Struct, frozen=True, kw_only=True):
    at_once: int
    requests: int
    seconds: float
    latency: float
    worker_cpu_seconds: float
    worker_peak_mb: float

    @property
    def ideal(self) -> float:
        return self.latency * self.requests / self.at_once


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--rounds", type=int, default=20, help="requests ÷ files at once")
    parser.add_argument("--latency", type=float, default=3.0, help="seconds that Claude takes for an answer")
    parser.add_argument("--repositories", type=int, default=4)
    options = parser.parse_args()
    print_machine()
    print_head(
        "files at once",
        "requests",
        "ideal s",
        "measured s",
        "ratio",
        "worker CPU s",
        "CPU ms a file",
        "worker peak MB",
    )
    for at_once in options.at_once:
        show(asyncio.run(measure(at_once, at_once * options.rounds, options.repositories, options.latency)))


def show(measured: Measured) -> None:
    print_row(
        measured.at_once,
        f"{measured.requests:,}",
        f"{measured.ideal:.1f}",
        f"{measured.seconds:.1f}",
        f"{measured.seconds / measured.ideal:.2f}",
        f"{measured.worker_cpu_seconds:.1f}",
        f"{1000 * measured.worker_cpu_seconds / measured.requests:.1f}",
        f"{measured.worker_peak_mb:.0f}",
    )


async def measure(at_once: int, files: int, repositories: int, latency: float) -> Measured:
    with tempfile.TemporaryDirectory(prefix="cody-bench-") as name:
        folder = Path(name)
        names = make_repositories(folder / "repositories", files, repositories)
        async with started(folder, at_once, latency) as (system, stand_in):
            job_id = await system.submit(names, PROMPT, match="Optional")  # so that nobody waits for a plan
            watcher = asyncio.create_task(watch_worker(system.pid("cody_dispatcher")))
            job = await system.ended(job_id, timeout=600)
            assert job["status"] == "SUCCEEDED", job
            cpu, peak = await watcher
            return Measured(
                at_once=at_once,
                requests=(await stand_in.stats()).answered,
                seconds=await editing_seconds(system, job_id),
                latency=latency,
                worker_cpu_seconds=cpu,
                worker_peak_mb=peak / 1e6,
            )


@asynccontextmanager
async def started(folder: Path, at_once: int, latency: float) -> AsyncGenerator[tuple[System, ClaudeStandIn]]:
    async with claude_stand_in() as stand_in:
        # It begins to answer after a third of the time; no two answers take the same.
        await stand_in.set_faults(latency=latency / 3, writing=latency * 2 / 3, jitter=latency / 6)
        environment = {
            "REPOSITORIES_ROOT": str(folder / "repositories"),
            "CLAUDE_API_KEY": stand_in.key,
            "CLAUDE_BASE_URL": stand_in.url,
            "FILES_AT_ONCE": str(at_once),
            "WORKERS_AT_ONCE": "1",
        }
        async with running_system(folder, environment) as system:
            yield system, stand_in


def make_repositories(root: Path, files: int, repositories: int) -> list[str]:
    """Files of about 3 KB, one change each, spread evenly."""
    names = [f"bench/r{number}" for number in range(repositories)]
    lines = [f"    value_{line} = {line}  # a line of ordinary length, so that it looks real\n" for line in range(40)]
    filler = "".join(lines)
    for number, name in enumerate(names):
        mine = range(number, files, repositories)
        contents = {f"m{file}.py": f"def f{file}(x: Optional[int]):\n{filler}".encode() for file in mine}
        make_repository(root / name, contents)
    return names


async def editing_seconds(system: System, job_id: str) -> float:
    """From the claim of the first run to the end of the last one."""
    answer = (await system.client.get(f"/jobs/{job_id}/repositories", params={"limit": 100})).json()
    started = min(datetime.fromisoformat(run["startedAt"]) for run in answer["items"])
    ended = max(datetime.fromisoformat(run["endedAt"]) for run in answer["items"])
    return (ended - started).total_seconds()


async def watch_worker(dispatcher: int) -> tuple[float, float]:
    """CPU seconds and peak resident bytes of the dispatcher's only worker, with its git children, until it is gone."""
    worker: psutil.Process | None = None
    cpu = peak = 0.0
    while True:
        await asyncio.sleep(0.1)
        try:
            worker = worker or find_worker(dispatcher)
            if worker is None:
                continue
            family = [worker, *worker.children(recursive=True)]
            cpu = max(cpu, sum(process.cpu_times().user + process.cpu_times().system for process in family))
            peak = max(peak, worker.memory_info().rss)
        except psutil.NoSuchProcess:
            return cpu, peak


def find_worker(dispatcher: int) -> psutil.Process | None:
    """The fork server is the dispatcher's child, the worker the fork server's."""
    servers = psutil.Process(dispatcher).children()
    workers = [child for server in servers for child in server.children()]
    return workers[0] if workers else None


if __name__ == "__main__":
    main()
