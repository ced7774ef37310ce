"""The stand-in as a child process, for tests and demos."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import httpx
import msgspec

from cody_stand_ins.child import child_program
from cody_stand_ins.claude.faults import Fault, Faults
from cody_stand_ins.claude.stats import Stats


class ClaudeStandIn:
    """A running stand-in. `url` is a base URL for the SDK, `key` a key that it accepts, `pid` its process."""

    def __init__(self, url: str, key: str, pid: int, http: httpx.AsyncClient) -> None:
        self.url = url
        self.key = key
        self.pid = pid
        self._http = http

    async def stats(self) -> Stats:
        response = (await self._http.get("/stand-in/stats")).raise_for_status()
        return msgspec.json.decode(response.content, type=Stats)

    async def set_faults(
        self,
        *faults: Fault,
        latency: float = 0.0,
        jitter: float = 0.0,
        writing: float = 0.0,
        batch_latency: float = 0.0,
        requests_per_minute: int | None = None,
        input_tokens_per_minute: int | None = None,
        output_tokens_per_minute: int | None = None,
        time_scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Replaces all that was set before."""
        settings = Faults(
            faults=faults,
            latency=latency,
            jitter=jitter,
            writing=writing,
            batch_latency=batch_latency,
            requests_per_minute=requests_per_minute,
            input_tokens_per_minute=input_tokens_per_minute,
            output_tokens_per_minute=output_tokens_per_minute,
            time_scale=time_scale,
            seed=seed,
        )
        (await self._http.post("/stand-in/faults", content=msgspec.json.encode(settings))).raise_for_status()

    async def reset(self) -> None:
        """No faults, no latency, all counts at zero."""
        (await self._http.post("/stand-in/reset")).raise_for_status()


@asynccontextmanager
async def claude_stand_in(
    *, key: str = "stand-in-key", port: int = 0, options: Sequence[str] = ()
) -> AsyncGenerator[ClaudeStandIn]:
    """Start one on loopback, on a free port unless one is given, and stop it at the end. `options` are more arguments
    of the program. It ends with us even if we are killed: it watches the pipe that is its standard input."""
    arguments = ["--port", str(port), "--key", key, "--until-stdin-ends", *options]
    async with (
        child_program("cody_stand_ins.claude", arguments) as child,
        httpx.AsyncClient(base_url=child.url, trust_env=False, timeout=30) as http,
    ):
        yield ClaudeStandIn(child.url, key, child.pid, http)
