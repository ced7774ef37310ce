"""GET /health and /health/ready."""

import asyncio
from collections.abc import Awaitable, Callable

from litestar import get
from litestar.di import NamedDependency
from msgspec import Struct

from cody_api.auth import OPEN
from cody_api.problems import Check, ProblemError
from cody_api.routes.responses import problems
from cody_backends.open_backends import Backends
from cody_jobs.errors import SettingsError, Unavailable
from cody_runtime.logs import get_logger

log = get_logger("cody_api")

SECONDS_PER_CHECK = 2.0


class Health(Struct, frozen=True, kw_only=True, rename="camel"):
    status: str


class Readiness(Struct, frozen=True, kw_only=True, rename="camel"):
    status: str
    checks: tuple[Check, ...]


@get(
    "/health",
    opt=OPEN,
    operation_id="getHealth",
    summary="Is the process alive",
    tags=["health"],
    security=[{}],
    responses=problems(),
)
async def health() -> Health:
    """Answers as long as the process does; it looks at nothing else."""
    return Health(status="ok")


@get(
    "/health/ready",
    opt=OPEN,
    operation_id="getReadiness",
    summary="Can it do its work",
    tags=["health"],
    security=[{}],
    responses=problems(),
)
async def ready(backends: NamedDependency[Backends]) -> Readiness:
    """Asks the job store, the queue and the result store, each for 2 s at most. 503 names what does not answer."""
    checks = await asyncio.gather(
        _check("store", backends.jobs.ping),
        _check("queue", backends.queue.ping),
        _check("results", backends.results.ping),
    )
    failing = [check.name for check in checks if not check.ok]
    if failing:
        detail = f"Not answering: {', '.join(failing)}."
        raise ProblemError(503, "not_ready", detail, headers={"Retry-After": "2"}, checks=checks)
    return Readiness(status="ready", checks=tuple(checks))


async def _check(name: str, ping: Callable[[], Awaitable[None]]) -> Check:
    """The reason goes to the log: nobody had to show a token to get here."""
    clock = asyncio.get_running_loop().time
    started, error = clock(), None
    try:
        async with asyncio.timeout(SECONDS_PER_CHECK):
            await ping()
    except TimeoutError:
        error = f"no answer within {SECONDS_PER_CHECK:.0f} s"
    except (Unavailable, SettingsError) as reason:  # also a table that was deleted, a permission that was taken away
        log.warning("not_ready", check=name, error=str(reason))
        error = "unavailable"
    return Check(name=name, ok=error is None, latency_ms=round((clock() - started) * 1000, 1), error=error)
