"""`cody-batch` as a user runs it: a program of its own, with nothing of our environment."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.support.wait import wait_until


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """`out` and `err` as text; `raw` is what standard output was, byte for byte."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw)


class CodyBatch:
    """Runs commands with this CODY_DATA; `environment` is added."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CODY_DATA": str(folder / "data"),
            "COLUMNS": "200",
            **environment,
        }

    async def run(
        self, *arguments: str | Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Ended:
        process = await self.start(*arguments, environment=environment)
        out, err = await process.communicate(stdin)
        return Ended(code=process.returncode or 0, raw=out, err=err.decode())

    async def start(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-P", "-m", "cody_cli", *map(str, arguments))
        settled = {**self.environment, **(environment or {})}
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=settled, stdin=pipe, stdout=pipe, stderr=pipe
        )


class Running:
    """A command that goes on, such as `up`: its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []

    async def until(self, text: str, timeout: float = 60) -> str:
        """The first line with that text, on either output."""
        return await wait_until(lambda: self._find(text), f"a line has {text!r}", timeout)

    async def end(self, number: signal.Signals | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(60):
            return await self.process.wait()

    def _find(self, text: str) -> str:
        found = next((line for line in [*self.out, *self.err] if text in line), "")
        if not found and self.process.returncode is not None:
            raise AssertionError(f"ended with {self.process.returncode} without {text!r}: {self.err}")
        return found


@asynccontextmanager
async def running(
    cody: CodyBatch, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Running]:
    """The command while the block runs; it is killed at the end if it still goes on."""
    process = await cody.start(*arguments, environment=environment)
    command = Running(process)
    async with asyncio.TaskGroup() as group:
        group.create_task(_collect(process.stdout, command.out), name="stdout")
        group.create_task(_collect(process.stderr, command.err), name="stderr")
        try:
            yield command
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _collect(stream: asyncio.StreamReader | None, lines: list[str]) -> None:
    assert stream is not None
    async for line in stream:
        lines.append(line.decode(errors="replace").rstrip("\n"))
