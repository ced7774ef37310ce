"""A TCP address in front of the tests' server, which can be cut off."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Relay:
    """Hands bytes on while it is open. Closed, it breaks what is connected and refuses what comes; silent, it keeps all
    connections and hands nothing on."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._flows.set()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    def fall_silent(self) -> None:
        self._flows.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there_reader, there_writer = await asyncio.open_unix_connection(str(self._socket))
        self._writers |= {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, there_writer, self._flows))
                group.create_task(_copy(there_reader, writer, self._flows))
        finally:
            self._writers -= {writer, there_writer}
            self._tasks.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            await flows.wait()
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def relay_to(socket: Path) -> AsyncGenerator[Relay]:
    relay = Relay(socket)
    await relay.open()
    try:
        yield relay
    finally:
        await relay.close()
