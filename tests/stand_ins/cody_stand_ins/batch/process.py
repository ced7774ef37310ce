"""The stand-in as a child process, for tests and demos."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx
import msgspec

from cody_stand_ins.batch.faults import Fault, Faults
from cody_stand_ins.batch.stats import Stats
from cody_stand_ins.child import child_program


class BatchStandIn:
    """A running stand-in. `url` is for AWS_ENDPOINT_URL_BATCH and AWS_ENDPOINT_URL_CLOUDWATCH_LOGS."""

    def __init__(self, url: str, pid: int, http: httpx.AsyncClient) -> None:
        self.url = url
        self.pid = pid
        self._http = http

    async def stats(self) -> Stats:
        response = (await self._http.get("/stand-in/stats")).raise_for_status()
        return msgspec.json.decode(response.content, type=Stats)

    async def set_faults(self, *faults: Fault, seed: int = 0) -> None:
        """Replaces all that was set before."""
        await self._post("faults", Faults(faults=faults, seed=seed))

    async def set_places(self, places: float | None) -> None:
        """So many vCPUs from now on; None: as the compute environment says."""
        await self._post("places", {"places": places})

    async def set_grace(self, grace: float) -> None:
        """Seconds from SIGTERM to SIGKILL, until the next reset."""
        await self._post("grace", {"grace": grace})

    async def lose(self, job_id: str) -> None:
        """kill -9 of the job's process (a child is `id:index`); its host is gone."""
        await self._post("lose", {"jobId": job_id})

    async def reset(self) -> None:
        """No faults, all counts at zero, every process killed and every job and resource forgotten."""
        await self._post("reset", {})

    async def _post(self, what: str, body: object) -> None:
        (await self._http.post(f"/stand-in/{what}", content=msgspec.json.encode(body))).raise_for_status()


@asynccontextmanager
async def batch_stand_in(
    *,
    entrypoint: Sequence[str] = ("-m", "cody_worker"),
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> AsyncGenerator[BatchStandIn]:
    """Start one on loopback, on a free port, and stop it and its jobs at the end. Jobs get nothing of our environment
    but what `environment` says. It ends with us even if we are killed: it watches its standard input."""
    arguments = [
        *(f"--entrypoint={argument}" for argument in entrypoint),
        *(f"--environment={name}={value}" for name, value in (environment or {}).items()),
        *options,
    ]
    async with (
        child_program("cody_stand_ins.batch", arguments) as child,
        httpx.AsyncClient(base_url=child.url, trust_env=False, timeout=30) as http,
    ):
        yield BatchStandIn(child.url, child.pid, http)
