"""Wait until an API answers and everything that it needs answers it."""

import asyncio
from collections.abc import Callable

import httpx
import msgspec


class _Check(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ok: bool
    error: str | None = None


class _NotReady(msgspec.Struct, frozen=True, kw_only=True):
    checks: tuple[_Check, ...] = ()


_PAUSE_SECONDS = 0.1
_TRY_SECONDS = 5.0
_SECONDS_PER_LINE = 5.0


async def wait_until_ready(url: str, *, say: Callable[[str], None]) -> None:
    """For as long as it takes; say every few seconds what is waited for."""
    clock = asyncio.get_running_loop().time
    said = clock()
    async with httpx.AsyncClient(base_url=url, timeout=_TRY_SECONDS, trust_env=False) as client:
        while (reason := await _why_not_ready(client)) is not None:
            if clock() - said >= _SECONDS_PER_LINE:
                said = clock()
                say(f"still starting: {reason}")
            await asyncio.sleep(_PAUSE_SECONDS)


async def answers(url: str) -> bool:
    """Whether a Cody Batch API is at home there."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as client:
            return (await client.get("/health")).is_success
    except httpx.HTTPError:
        return False


async def _why_not_ready(client: httpx.AsyncClient) -> str | None:
    try:
        response = await client.get("/health/ready")
    except httpx.HTTPError as error:
        return f"the API at {client.base_url} does not answer yet ({type(error).__name__})"
    if response.is_success:
        return None
    return f"the API waits for {_missing(response)}"


def _missing(response: httpx.Response) -> str:
    """The names of what does not answer yet, from the problem+json of /health/ready."""
    try:
        checks = msgspec.json.decode(response.content, type=_NotReady).checks
    except msgspec.DecodeError:
        return response.text[:300]
    return ", ".join(f"{check.name} ({check.error})" for check in checks if not check.ok)
