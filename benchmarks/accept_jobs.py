"""How long the api takes to accept and to show jobs of up to 10,000 repositories, and what that costs it in memory.

A real api process with the embedded PostgreSQL server, asked over HTTP; no dispatcher, so that nobody works on the
jobs meanwhile. The memory has to stay flat: the first large job raises it to what one such job needs, and the
following ones must not add to that.

    ./dev bench accept_jobs [--again 10]
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psutil
from msgspec import Struct

from benchmarks.tables import print_head, print_machine, print_row
from demo.clean_end import temporary_data
from tests.story.system import System

LARGEST = 10_000
ROUNDS = {10: 10, 100: 10, 1_000: 5, LARGEST: 3}
"""Repositories of a job, and how many such jobs."""
READS = 20
PAGE = 100


class Memory(Struct, frozen=True, kw_only=True):
    """Of the api, in MB: resident now, and the highest that it ever was (Linux only; 0 elsewhere)."""

    now: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--again", type=int, default=10, help="jobs of 10,000 repositories, one after the other")
    options = parser.parse_args()
    print_machine()
    asyncio.run(measure(options.again))


async def measure(again: int) -> None:
    async with temporary_data() as folder:
        system = System(folder, {})
        try:
            await system.start("cody_api")
            job_id = await accept(system)
            await accept_again(system, again)
            await read(system, job_id)
        finally:
            await system.stop()


async def accept(system: System) -> str:
    """POST /jobs in all sizes; the id of a largest job."""
    job_id = ""
    pid = system.pid("cody_api")
    print_head("POST /jobs with", "jobs", "median s", "longest s", "api MB before", "api MB after", "peak MB")
    for repositories, rounds in ROUNDS.items():
        before, seconds = memory(pid), list[float]()
        for _ in range(rounds):
            begun = time.perf_counter()
            job_id = await submit(system, repositories)
            seconds.append(time.perf_counter() - begun)
        after = memory(pid)
        times = (f"{statistics.median(seconds):.3f}", f"{max(seconds):.3f}")
        sizes = (f"{before.now:.0f}", f"{after.now:.0f}", f"{after.peak:.0f}")
        print_row(f"{repositories:,} repositories", rounds, *times, *sizes)
    return job_id


async def accept_again(system: System, again: int) -> None:
    pid = system.pid("cody_api")
    before, after = memory(pid), list[Memory]()
    begun = time.perf_counter()
    for _ in range(again):
        await submit(system, LARGEST)
        after.append(memory(pid))
    seconds = time.perf_counter() - begun
    print(f"\n{again} more jobs of {LARGEST:,} repositories took {seconds:.1f} s. The api's memory in MB:\n")
    print_head("before", *(f"after {number}" for number in range(1, again + 1)), "peak")
    print_row(f"{before.now:.0f}", *(f"{each.now:.0f}" for each in after), f"{after[-1].peak:.0f}")


async def read(system: System, job_id: str) -> None:
    runs = f"/jobs/{job_id}/repositories"
    deep = await cursor_near_end(system.client, runs)
    reads: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
        "GET /jobs/{id}": lambda: system.client.get(f"/jobs/{job_id}"),
        "GET /jobs (first page of 100)": lambda: system.client.get("/jobs", params={"limit": PAGE}),
        "GET its runs, first page of 100": lambda: system.client.get(runs, params={"limit": PAGE}),
        "GET its runs, last page of 100": lambda: system.client.get(runs, params={"limit": PAGE, "cursor": deep}),
        "GET its runs, status=FAILED": lambda: system.client.get(runs, params={"limit": PAGE, "status": "FAILED"}),
        "GET one run": lambda: system.client.get(f"{runs}/bench/repository-9999"),
    }
    print(f"\nReads, with a job of {LARGEST:,} repositories, {READS} times each:\n")
    print_head("request", "median ms", "longest ms", "bytes")
    for what, ask in reads.items():
        seconds, size = list[float](), 0
        for _ in range(READS):
            begun = time.perf_counter()
            answer = await ask()
            seconds.append(time.perf_counter() - begun)
            assert answer.status_code == 200, answer.text
            size = len(answer.content)
        print_row(what, f"{statistics.median(seconds) * 1000:.1f}", f"{max(seconds) * 1000:.1f}", f"{size:,}")


async def submit(system: System, repositories: int) -> str:
    return await system.submit([f"bench/repository-{number}" for number in range(repositories)], "Nobody reads this.")


async def cursor_near_end(client: httpx.AsyncClient, runs: str) -> str:
    """The cursor of the last page."""
    cursor, following = "", ""
    while True:
        answer = await client.get(runs, params={"limit": PAGE, **({"cursor": following} if following else {})})
        assert answer.status_code == 200, answer.text
        if answer.json()["cursor"] is None:
            return cursor
        cursor = following = answer.json()["cursor"]


def memory(pid: int) -> Memory:
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
    return Memory(now=psutil.Process(pid).memory_info().rss / 1e6, peak=peak / 1e6)


if __name__ == "__main__":
    main()
