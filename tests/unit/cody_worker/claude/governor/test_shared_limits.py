"""Several clients with one key, sharing its limits through PostgreSQL; all of them against the stand-in's limits."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from cody_backends.postgres.database import Database
from cody_backends.postgres.room_store import PostgresRoomStore
from cody_stand_ins.claude import ClaudeStandIn
from cody_worker.claude import Claude, ClaudeRequest
from cody_worker.claude.client import open_claude
from cody_worker.claude.settings import ClaudeSettings
from tests.support.claude_requests import file_request

_CLIENTS, _AT_ONCE = 3, 8
_MINUTE = 2.0
_REQUESTS, _INPUT_TOKENS = 50, 40_000


@asynccontextmanager
async def _clients(database: Database, settings: ClaudeSettings) -> AsyncGenerator[list[Claude]]:
    rooms = PostgresRoomStore(database, minute=_MINUTE)
    async with AsyncExitStack() as stack:
        opened = [
            open_claude(settings, rooms=rooms, chance=random.Random(seed), minute=_MINUTE) for seed in range(_CLIENTS)
        ]
        yield [await stack.enter_async_context(client) for client in opened]


async def _ask(claude: Claude, requests: list[ClaudeRequest]) -> int:
    """How many were answered."""
    answered = 0
    while requests:
        await claude.ask(requests.pop())
        answered += 1
    return answered


def _requests(number: int) -> list[ClaudeRequest]:
    chance = random.Random(1)
    return [file_request(f"f{index}.py", chance.randint(500, 3_000)) for index in range(number)]


async def test_all_are_answered_and_hardly_any_request_is_refused(
    database: Database, settings: ClaudeSettings, stand_in: ClaudeStandIn
) -> None:
    """Exact numbers are in test_simulated_hours.py: here, where two seconds are a minute, other processes matter."""
    await stand_in.set_faults(
        latency=0.1,
        jitter=0.05,
        requests_per_minute=_REQUESTS,
        input_tokens_per_minute=_INPUT_TOKENS,
        time_scale=60 / _MINUTE,
    )
    requests = _requests(80)
    async with _clients(database, settings) as clients:
        answered = await asyncio.gather(*(_ask(claude, requests) for claude in clients for _ in range(_AT_ONCE)))
    stats = await stand_in.stats()
    assert sum(answered) == 80
    assert stats.limited < 8


async def test_no_call_fails_because_somebody_else_uses_the_same_key(
    database: Database, settings: ClaudeSettings, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(requests_per_minute=_REQUESTS, time_scale=60 / _MINUTE)
    requests = _requests(60)
    async with _clients(database, settings) as clients:
        others = [asyncio.create_task(_use_the_key(stand_in, 8), name="somebody else") for _ in range(20)]
        answered = await asyncio.gather(*(_ask(claude, requests) for claude in clients for _ in range(_AT_ONCE)))
        await asyncio.gather(*others)
    assert sum(answered) == 60
    assert (await stand_in.stats()).limited > 0


async def _use_the_key(stand_in: ClaudeStandIn, times: int) -> None:
    """As fast as one can, whatever the answer."""
    body = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-api-key": stand_in.key}
    async with httpx.AsyncClient(base_url=stand_in.url, headers=headers, trust_env=False) as client:
        for _ in range(times):
            await client.post("/v1/messages", json=body)
