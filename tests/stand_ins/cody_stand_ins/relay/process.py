"""The relay as a child process, for tests."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import msgspec

from cody_stand_ins.relay.server import RelayStats, Trouble

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class Relay:
    """A running relay; `url` is where clients go instead of to the emulator."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def make(self, trouble: Trouble) -> None:
        (await self._http.post("/relay/trouble", content=msgspec.json.encode(trouble))).raise_for_status()

    async def stats(self) -> RelayStats:
        answer = (await self._http.get("/relay/stats")).raise_for_status()
        return msgspec.json.decode(answer.content, type=RelayStats)


@asynccontextmanager
async def relay_to(target: str) -> AsyncGenerator[Relay]:
    """Start one in front of `target`, and stop it at the end. It makes no trouble until it is told to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cody_stand_ins.relay",
        "--target",
        target,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
            yield Relay(url, http)
    finally:
        process.stdin.close()
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
