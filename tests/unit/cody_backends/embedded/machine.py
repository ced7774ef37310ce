"""What the tests of the embedded server do to programs and processes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import psutil

from cody_backends.postgres.connection import use_json
from cody_backends.postgres.database import Database, open_pool
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.locks import is_held
from cody_backends.postgres.embedded.server import use_server
from cody_backends.settings import OPERATION_PATIENCE
from tests.support.wait import wait_until

_PROGRAM = Path(__file__).with_name("user_program.py")


@asynccontextmanager
async def database_in(layout: Layout, *, operation_patience: float = OPERATION_PATIENCE) -> AsyncGenerator[Database]:
    """This process uses the server."""
    async with (
        use_server(layout) as server,
        open_pool(
            "the test's server",
            server.connect,
            connections=2,
            init=use_json,
            operation_patience=operation_patience,
        ) as database,
    ):
        yield database


class UserProgram:
    """Another process that uses the server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def number(self) -> int:
        return self._process.pid

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            said = await self._process.stdout.readline()
        return said.decode().strip()

    async def end(self) -> int:
        """Let it go its way out."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await self._process.wait()

    async def kill(self) -> list[str]:
        """SIGKILL; what it had said before that was not read yet."""
        with suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdout is not None
        said = await self._process.stdout.read()
        await self._process.wait()
        return said.decode().split()


@asynccontextmanager
async def user_program(layout: Layout, action: str, *, inside: Sequence[str] = ()) -> AsyncGenerator[UserProgram]:
    """`inside` is a command that runs the command that follows it."""
    process = await asyncio.create_subprocess_exec(
        *inside,
        sys.executable,
        _PROGRAM,
        msgspec.json.encode(layout).decode(),
        action,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    program = UserProgram(process)
    try:
        yield program
    finally:
        await program.kill()
        # The transport of the pipe is closed by a callback of the loop.
        await asyncio.sleep(0)


def supervisors(layout: Layout) -> list[psutil.Process]:
    return _processes(lambda process: "cody_backends.postgres.embedded.supervisor" in process.cmdline(), layout)


def postmasters(layout: Layout) -> list[psutil.Process]:
    return _processes(lambda process: process.name() == "postgres" and "-D" in process.cmdline(), layout)


def servers(layout: Layout) -> list[psutil.Process]:
    """The postmaster and all of its children."""
    found = postmasters(layout)
    for process in list(found):
        with suppress(psutil.NoSuchProcess):
            found += process.children(recursive=True)
    return found


def _processes(wanted: Callable[[psutil.Process], bool], layout: Layout) -> list[psutil.Process]:
    places = (str(layout.folder), os.path.realpath(layout.database))
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if wanted(process) and any(place in part for part in process.cmdline() for place in places):
                found.append(process)
    return found


async def wait_until_nothing_runs(layout: Layout) -> None:
    """The server was stopped and its supervisor has gone, by themselves."""
    await wait_until(lambda: not is_held(layout.supervisor_lock), "the supervisor has stopped the server", 30)
    await wait_until(lambda: not supervisors(layout), "the supervisor is gone")
    assert servers(layout) == []


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL; a process that ended in between has ended, too."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def end_what_is_left(layout: Layout) -> None:
    kill([*supervisors(layout), *servers(layout)])
