"""A stand-in as a child process: it says its URL in its first line, and ends with its standard input."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Child(Struct, frozen=True, kw_only=True):
    url: str
    pid: int


@asynccontextmanager
async def child_program(module: str, arguments: Sequence[str]) -> AsyncGenerator[Child]:
    """`python -m module arguments`, stopped at the end. It ends with us even if we are killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Child(url=await _announced_url(process, module), pid=process.pid)
    finally:
        await _stop(process)


async def _announced_url(process: asyncio.subprocess.Process, module: str) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(_START_SECONDS):
        line = (await process.stdout.readline()).decode().strip()
    if not line.startswith("http://"):
        raise RuntimeError(f"{module} did not start: {line!r}")
    return line


async def _stop(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
