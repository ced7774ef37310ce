"""Wait for a dependency with a clear line about what is waited for: programs start in any order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cody_jobs.errors import Unavailable
from cody_runtime.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)

_PAUSE_SECONDS = 0.5
_SECONDS_PER_LINE = 5.0


async def wait_for(what: str, attempt: Callable[[], Awaitable[T]], *, patience: float) -> T:
    """Call `attempt` until it does not raise `Unavailable`, for `patience` seconds; then raise the last one.

    `what` names the dependency and the setting that points at it, for people: "PostgreSQL (DATABASE_URL)".
    """
    clock = asyncio.get_running_loop().time
    started, said = clock(), float("-inf")
    while True:
        try:
            return await attempt()
        except Unavailable as error:
            waited = clock() - started
            if waited >= patience:
                log.error("gave_up_waiting", what=what, waited_seconds=round(waited, 1), error=str(error))
                raise
            if clock() - said >= _SECONDS_PER_LINE:
                said = clock()
                log.warning("waiting_for", what=what, error=str(error), give_up_in=round(patience - waited))
            await asyncio.sleep(_PAUSE_SECONDS)
