"""A server as a process of its own, on a free port of loopback; it ends with the session that started it."""

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.wait import wait_until

_DIE_WITH_PARENT = str(Path(__file__).with_name("die_with_parent.py"))
_TRIES = 3
"""A free port can be taken by somebody else before the server has it."""
_START_SECONDS = 60.0
_TAIL_CHARACTERS = 3000


class ServerFailed(Exception):
    """A server that could be had did not start."""


async def start_process(
    command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None
) -> Process:
    """In `folder`, with all that it prints in the file `log` there. It dies with us, however we end (on Linux)."""
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            _DIE_WITH_PARENT,
            str(os.getpid()),
            *command,
            cwd=folder,
            env=dict(environment or os.environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def stop_process(process: Process) -> None:
    """At once: it keeps nothing, and ElasticMQ takes ten seconds for an orderly end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def tail_of_log(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")[-_TAIL_CHARACTERS:]


@asynccontextmanager
async def run_server(command_on: Callable[[int], Sequence[str]], folder: Path) -> AsyncGenerator[str]:
    """`command_on(port)` is what to start; gives the server's URL as soon as it answers HTTP there, with whatever
    status. Stopped at the end. Raises ServerFailed with what the server said last."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(_TRIES):
            port = _free_port()
            process = await start_process(command_on(port), folder)
            stack.push_async_callback(stop_process, process)
            url = f"http://127.0.0.1:{port}"
            if await _answers(process, url):
                yield url
                return
        raise ServerFailed(tail_of_log(folder))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def _answers(process: Process, url: str) -> bool:
    """False: it ended instead."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def has_answered_or_ended() -> bool:
            if process.returncode is not None:
                return True
            try:
                await http.get(url)
            except httpx.TransportError:
                return False
            return True

        await wait_until(has_answered_or_ended, f"the server answers at {url}", timeout=_START_SECONDS)
    return process.returncode is None
