"""A pool of connections to one PostgreSQL database, and how its trouble is waited out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg
import stamina

from cody_backends.postgres.connection import Connection, OwnConnection, create_pool
from cody_backends.postgres.errors import translated
from cody_backends.postgres.notifications import Listener, Notifications
from cody_jobs.errors import Unavailable

T = TypeVar("T")
Operation = Callable[[Connection], Awaitable[T]]

_PATIENCE_SECONDS = 45.0
_PING_SECONDS = 2.0
_CALL_SECONDS = 60.0
_CLOSE_SECONDS = 5.0


class Database:
    """`name` says for people which server it is, and which setting points at it. A process holds as many connections
    as its pool has, and one more while it listens to notifications.

    Nothing may be left behind in a session (use `SET LOCAL`, `pg_advisory_xact_lock`): connections go from one user to
    the next without a reset, which would cost a round trip each time.
    """

    def __init__(self, name: str, pool: Any, notifications: Notifications) -> None:
        self.name = name
        self._pool = pool
        self._notifications = notifications

    async def run(self, operation: Operation[T]) -> T:
        """Run the operation in a transaction of its own; when the connection or the server is lost, or the transaction
        collides with another one, run it again, for about 45 s; then raise `Unavailable`.

        When the answer to a COMMIT is lost, an operation that has happened is run a second time: every operation must
        lead to the same end when it is run twice.
        """
        return await self._with_patience(self.transaction, operation)

    async def run_statement(self, operation: Operation[T]) -> T:
        """`run` for an operation that is a single statement: that needs no transaction around it."""
        return await self._with_patience(self.connection, operation)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """One connection, tried once. Raises `Unavailable` (also out of the block) when the server is not there."""
        with translated(self.name):
            async with self._pool.acquire() as connection:
                yield cast("Connection", connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """One transaction, tried once: committed at the end of the block, rolled back when it raises."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def ping(self, *, timeout: float = _PING_SECONDS) -> None:
        """Return when the server answers a trivial read; raise `Unavailable` otherwise, without retrying."""
        with translated(self.name):
            async with asyncio.timeout(timeout), self.connection() as connection:
                await connection.fetchval("SELECT 1")

    def listener(self, channel: str, payload: str | None = None) -> AbstractAsyncContextManager[Listener]:
        """Hear notifications on a channel; with `payload`, only those that carry exactly this text.

        `async with database.listener("cody_events", job_id) as listener: await listener.wait(timeout)`. All listeners
        of the process share one connection. A wake-up says "look again", not that there surely is something.
        """
        return self._notifications.listener(channel, payload)

    async def _with_patience(
        self, opened: Callable[[], AbstractAsyncContextManager[Connection]], operation: Operation[T]
    ) -> T:
        async for attempt in stamina.retry_context(
            on=Unavailable, attempts=None, timeout=_PATIENCE_SECONDS, wait_initial=0.05, wait_max=2.0, wait_jitter=0.2
        ):
            with attempt:
                async with opened() as connection:
                    return await operation(connection)
        raise AssertionError("stamina ends with a result or an error")


Connect = Callable[..., Awaitable[Any]]
"""`asyncpg.connect`, or a coroutine that does something before it; called with asyncpg's arguments."""


@asynccontextmanager
async def open_pool(
    name: str, connect: Connect, *, connections: int, init: Callable[[OwnConnection], Awaitable[None]]
) -> AsyncGenerator[Database]:
    """Open no connection yet: the first use does."""
    pool = create_pool(
        connect=connect,
        init=init,
        reset=_leave_as_it_is,
        min_size=0,
        max_size=connections,
        command_timeout=_CALL_SECONDS,
    )

    async def connect_to_listen() -> OwnConnection:
        with translated(name):
            return cast("OwnConnection", await connect(command_timeout=_CALL_SECONDS))

    notifications = Notifications(connect_to_listen)
    async with pool:
        try:
            yield Database(name, pool, notifications)
        finally:
            await notifications.close()
            await _close(pool)


async def _close(pool: Any) -> None:
    """Wait for what is under way, but not for a server that is gone."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _leave_as_it_is(_connection: object) -> None:
    """An open transaction was rolled back already; there is no other state to reset."""
