"""How much of Claude's rate limits several workers use together, and how often they are refused for it.

    ./dev bench governor [--workers 4] [--at-once 8] [--minutes 6] [--time-scale 20]

Each worker is a process of its own with the real client, sharing the limits through the embedded PostgreSQL server; the
stand-in keeps limits of 50 requests and 40,000 input tokens a minute, as token buckets like the API's. Everything is
`--time-scale` times faster than the world, the client's minute and the stand-in's latency too. Workers that start know
nothing of the limits. What is allowed is what the buckets hold at first, and what comes back until the last request.
"""

import argparse
import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from msgspec import Struct

from benchmarks.tables import print_head, print_machine, print_row
from cody_backends.open_backends import open_backends
from cody_backends.postgres.open_database import open_database
from cody_backends.postgres.room_store import PostgresRoomStore
from cody_backends.settings import BackendSettings
from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind, Stats, claude_stand_in
from cody_worker.claude import Claude, ClaudeFailed, ClaudeRequest
from cody_worker.claude.client import open_claude
from cody_worker.claude.settings import ClaudeSettings
from demo.clean_end import temporary_data
from tests.support.claude_requests import file_request

REQUESTS, INPUT_TOKENS = 50, 40_000
CALL_MINUTES = 0.1
SMALL, LARGE = (400, 1_200), (1_500, 6_500)
"""Bytes of the files: with small ones the limit of requests is met first, with large ones that of tokens."""


class Plan(Struct, frozen=True, kw_only=True):
    """What one worker is told."""

    url: str
    key: str
    data: str
    minute: float
    minutes: float
    at_once: int
    sizes: tuple[int, int]
    seed: int


class Outcome(Struct, frozen=True, kw_only=True):
    answered: int
    failed: int


class Case(Struct, frozen=True, kw_only=True):
    name: str
    sizes: tuple[int, int]
    faults: tuple[Fault, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=8, help="calls of each worker at once")
    parser.add_argument("--minutes", type=float, default=6, help="simulated minutes of each row")
    parser.add_argument("--time-scale", type=float, default=20)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(msgspec.json.decode(options.work, type=Plan)))
        return
    print_machine()
    print_head("limited by", "requests", "429", "of all", "529", "requests used", "input tokens used", "failed calls")
    overload = Fault(kind=FaultKind.OVERLOADED, after=60 / options.time_scale, lasts=12 / options.time_scale)
    for case in (
        Case(name="requests", sizes=SMALL),
        Case(name="input tokens", sizes=LARGE),
        Case(name="input tokens, and 12 s of overload", sizes=LARGE, faults=(overload,)),
    ):
        asyncio.run(measure(case, options))


async def measure(case: Case, options: argparse.Namespace) -> None:
    minute = 60 / options.time_scale
    async with temporary_data() as folder, claude_stand_in() as stand_in:
        settings = BackendSettings(cody_data=str(folder / "data"))
        async with open_backends(settings):
            plans = [
                Plan(
                    url=stand_in.url,
                    key=stand_in.key,
                    data=settings.cody_data,
                    minute=minute,
                    minutes=options.minutes,
                    at_once=options.at_once,
                    sizes=case.sizes,
                    seed=seed,
                )
                for seed in range(options.workers)
            ]
            async with AsyncExitStack() as stack:
                workers = [await stack.enter_async_context(started_worker(plan)) for plan in plans]
                await all_ready(workers)
                await set_limits(stand_in, case, options.time_scale)
                outcomes = await asyncio.gather(*(finish(worker) for worker in workers))
        show(case, await stand_in.stats(), outcomes, minute)


async def set_limits(stand_in: ClaudeStandIn, case: Case, time_scale: float) -> None:
    latency = CALL_MINUTES * 60 / time_scale
    await stand_in.set_faults(
        *case.faults,
        latency=latency,
        jitter=latency / 2,
        requests_per_minute=REQUESTS,
        input_tokens_per_minute=INPUT_TOKENS,
        time_scale=time_scale,
    )


def show(case: Case, stats: Stats, outcomes: Sequence[Outcome], minute: float) -> None:
    minutes = 1 + stats.admitted_seconds / minute
    print_row(
        case.name,
        stats.messages,
        stats.limited,
        f"{stats.limited / stats.messages:.1%}",
        stats.by_status.get("529", 0),
        f"{stats.admitted / (REQUESTS * minutes):.1%}",
        f"{stats.counted_input_tokens / (INPUT_TOKENS * minutes):.1%}",
        sum(outcome.failed for outcome in outcomes),
    )


async def all_ready(workers: Sequence[Process]) -> None:
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"


@asynccontextmanager
async def started_worker(plan: Plan) -> AsyncGenerator[Process]:
    arguments = ("-m", "benchmarks.governor", "--work", msgspec.json.encode(plan).decode())
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=PIPE, stdout=PIPE)
    try:
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


async def finish(worker: Process) -> Outcome:
    out, _ = await worker.communicate(b"go\n")
    return msgspec.json.decode(out.splitlines()[-1], type=Outcome)


async def work(plan: Plan) -> None:
    """One worker: as many calls as there is room for, `at_once` of them under way or waiting."""
    settings = ClaudeSettings(claude_api_key=plan.key, claude_base_url=plan.url)
    backend = BackendSettings(cody_data=plan.data)
    async with (
        open_database(backend) as database,
        open_claude(settings, rooms=PostgresRoomStore(database, minute=plan.minute), minute=plan.minute) as claude,
    ):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        end = asyncio.get_running_loop().time() + plan.minutes * plan.minute
        chance = random.Random(plan.seed)
        counts = await asyncio.gather(*(ask_until(end, claude, plan, chance) for _ in range(plan.at_once)))
    answered, failed = (sum(count) for count in zip(*counts, strict=True))
    print(msgspec.json.encode(Outcome(answered=answered, failed=failed)).decode())


async def ask_until(end: float, claude: Claude, plan: Plan, chance: random.Random) -> tuple[int, int]:
    answered = failed = 0
    while asyncio.get_running_loop().time() < end:
        try:
            await claude.ask(question(chance, plan.sizes))
            answered += 1
        except ClaudeFailed:
            failed += 1
    return answered, failed


def question(chance: random.Random, sizes: tuple[int, int]) -> ClaudeRequest:
    return file_request(f"f{chance.getrandbits(48):x}.py", chance.randint(*sizes))


if __name__ == "__main__":
    main()
