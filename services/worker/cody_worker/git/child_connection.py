"""Requests to a git child over one connection: sent at once, answered one after the other, in their order."""

import asyncio
import signal
from collections import deque
from contextlib import suppress

import msgspec

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_runtime.fork_server import ForkedProcess
from cody_worker.git.death import explain_death, took_too_long
from cody_worker.git.wire import HEADER, MAX_FRAME_BYTES, ChildSetup, Reply, Request, decode_reply, frame

_SECONDS_TO_DIE = 10
_NONSENSE = "the repository made the git child answer with nonsense"


class _Asked:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()


class ChildConnection:
    """After the child's end, however it came, every request fails the same way.

    Many are under way at once where many files end in the same moment: waiting for each answer before the next request
    is sent would cost a turn of a busy event loop every time.
    """

    def __init__(
        self,
        process: ForkedProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        setup: ChildSetup,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._setup = setup
        self._asked: deque[_Asked] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._over: JobFailed | None = None

    async def ask(self, request: Request) -> Reply:
        """Raises `JobFailed` with how the child ended."""
        if self._over is not None:
            raise self._over
        asked = _Asked(request)
        self._asked.append(asked)
        self._writer.write(frame(request))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_replies(), name="git replies")
        try:
            with suppress(ConnectionError):  # whoever reads sees the child's end, too, and knows more of it
                await self._writer.drain()
            return await asked.reply
        except asyncio.CancelledError:
            self._give_up(JobFailed(FailureCode.INTERNAL_ERROR, "an earlier request was cancelled"))
            raise

    async def aclose(self) -> None:
        """The child is killed, whatever it is doing."""
        self._writer.transport.abort()
        self._process.send_signal(signal.SIGKILL)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._process.wait()

    async def _read_replies(self) -> None:
        while self._asked:
            asked = self._asked[0]
            reply = await self._reply_to(asked.request)
            if isinstance(reply, JobFailed):
                self._fail_all(reply)
                return
            self._asked.popleft()
            if not asked.reply.done():
                asked.reply.set_result(reply)

    async def _reply_to(self, request: Request) -> Reply | JobFailed:
        try:
            async with asyncio.timeout(self._setup.limits.seconds):
                return await self._read_one()
        except TimeoutError:
            return self._give_up(took_too_long(request, self._setup))
        except (asyncio.IncompleteReadError, ConnectionError):
            return self._give_up(explain_death(await self._exit_code(), request, self._setup))
        except msgspec.DecodeError:
            return self._give_up(JobFailed(FailureCode.REPOSITORY_UNREADABLE, _NONSENSE))

    async def _read_one(self) -> Reply:
        (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
        if size > MAX_FRAME_BYTES:
            raise msgspec.DecodeError(f"a reply of {size} bytes")
        return decode_reply(await self._reader.readexactly(size))

    def _fail_all(self, error: JobFailed) -> None:
        for asked in self._asked:
            if not asked.reply.done():
                asked.reply.set_exception(error)
        self._asked.clear()

    async def _exit_code(self) -> int:
        """Of a child that has closed its end of the connection."""
        try:
            async with asyncio.timeout(_SECONDS_TO_DIE):
                return await self._process.wait()
        except TimeoutError:
            self._process.send_signal(signal.SIGKILL)
            return await self._process.wait()

    def _give_up(self, reason: JobFailed) -> JobFailed:
        """From now on nothing is asked: a late reply would answer the wrong request. The first reason stays."""
        if self._over is None:
            self._over = reason
            self._process.send_signal(signal.SIGKILL)
        return self._over
