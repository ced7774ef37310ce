"""The relay as a child process, for tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import msgspec

from cody_stand_ins.child import child_program
from cody_stand_ins.relay.server import RelayStats, Trouble


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
    async with (
        child_program("cody_stand_ins.relay", ["--target", target]) as child,
        httpx.AsyncClient(base_url=child.url, trust_env=False, timeout=30) as http,
    ):
        yield Relay(child.url, http)
