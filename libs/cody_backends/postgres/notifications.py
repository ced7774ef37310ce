"""LISTEN/NOTIFY for a whole process on one connection, which comes back by itself."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from cody_backends.postgres.connection import OwnConnection
from cody_runtime.logs import get_logger

log = get_logger(__name__)

_PAUSE_SECONDS = 0.5
_CHECK_SECONDS = 30.0
_ANSWER_SECONDS = 10.0


class Listener:
    """Wakes one waiter. A notification between two waits is not lost: the next wait returns at once."""

    def __init__(self, channel: str, payload: str | None) -> None:
        self.channel = channel
        self._payload = payload
        self._woken = asyncio.Event()

    async def wait(self, timeout: timedelta | float) -> bool:
        """Return True when notified (or when something may have been missed: look again), False after `timeout`."""
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        self._woken.set()

    def notice(self, payload: str) -> None:
        if self._payload is None or self._payload == payload:
            self.wake()


class Notifications:
    """The listening connection. It is opened for the first listener, checked while idle, and opened again when lost;
    after that every listener is woken, because notifications may have been missed."""

    def __init__(self, connect: Callable[[], Awaitable[OwnConnection]]) -> None:
        self._connect = connect
        self._listeners: dict[str, set[Listener]] = {}
        self._heard: set[str] = set()
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listener(self, channel: str, payload: str | None) -> AsyncGenerator[Listener]:
        """A listener is woken once when its channel begins to be heard, so that nothing falls in between."""
        listener = Listener(channel, payload)
        self._listeners.setdefault(channel, set()).add(listener)
        if channel not in self._heard:
            self._changed.set()
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_listening(), name="keep-listening")
        try:
            yield listener
        finally:
            self._listeners[channel].discard(listener)

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep_listening(self) -> None:
        while True:
            try:
                connection = await self._connect()
            except Exception as error:  # noqa: BLE001 (without it, waiters would only ever wait for their timeout)
                log.warning("listening_connection_refused", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            try:
                await self._listen(connection)
            finally:
                self._heard.clear()
                connection.terminate()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self, connection: OwnConnection) -> None:
        """Return when the connection is lost."""
        connection.add_termination_listener(lambda _connection: self._changed.set())
        try:
            while not connection.is_closed():
                self._changed.clear()
                await self._hear_new_channels(connection)
                if not await self._wait_for_change():
                    await connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)
        except Exception as error:  # noqa: BLE001 (whatever it was: this connection is given up, another one opened)
            log.warning("listening_connection_lost", error=str(error))

    async def _hear_new_channels(self, connection: OwnConnection) -> None:
        for channel in self._listeners.keys() - self._heard:
            await connection.add_listener(channel, self._notice)
            self._heard.add(channel)
            for listener in self._listeners[channel]:
                listener.wake()

    async def _wait_for_change(self) -> bool:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _notice(self, _connection: object, _process: int, channel: str, payload: str) -> None:
        for listener in self._listeners[channel]:
            listener.notice(payload)
