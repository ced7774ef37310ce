"""A pool of connections to one PostgreSQL database, and how its trouble is waited out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar, cast

import asyncpg
import stamina

from cody_backends.postgres.connection import Connection, OwnConnection, create_pool
from cody_backends.postgres.errors import translated
from cody_backends.postgres.notifications import Listener, Notifications
from cody_backends.postgres.tracing import one_span
from cody_backends.settings import OPERATION_PATIENCE
from cody_jobs.errors import Unavailable

T = TypeVar("T")
Operation = Callable[[Connection], Awaitable[T]]

_PING_SECONDS = 2.0
_CALL_SECONDS = 60.0
_CLOSE_SECONDS = 5.0
_CANCEL_SECONDS = 1.0


class Database:
    """`name` says for people which server it is, and which setting points at it. A process holds as many connections
    as its pool has, and one more while it listens to notifications.

    Nothing may be left behind in a session (use `SET LOCAL`, `pg_advisory_xact_lock`): connections go from one user to
    the next without a reset, which would cost a round trip each time.
    """

    def __init__(self, name: str, pool: Any, notifications: Notifications, *, operation_patience: float) -> None:
        self.name = name
        self._pool = pool
        self._notifications = notifications
        self._patience = operation_patience

    async def run(self, operation: Operation[T]) -> T:
        """Run the operation in a transaction of its own; when the connection or the server is lost, or the transaction
        collides with another one, run it again, until `operation_patience` seconds are over; then raise `Unavailable`.
        What is under way then (waiting for a connection, connecting, the operation itself) is given up, too.

        When the answer to a COMMIT is lost, an operation that has happened is run a second time: every operation must
        lead to the same end when it is run twice.
        """
        with one_span(_name_of(operation)):
            return await self._with_patience(operation, in_transaction=True)

    async def run_statement(self, operation: Operation[T]) -> T:
        """`run` for an operation that is a single statement: that needs no transaction around it."""
        return await self._with_patience(operation, in_transaction=False)

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

    async def _with_patience(self, operation: Operation[T], *, in_transaction: bool) -> T:
        give_up = asyncio.get_running_loop().time() + self._patience
        async for attempt in stamina.retry_context(
            on=Unavailable, attempts=None, timeout=self._patience, wait_initial=0.05, wait_max=2.0, wait_jitter=0.2
        ):
            with attempt:
                return await self._attempt(operation, give_up, in_transaction=in_transaction)
        raise AssertionError("stamina ends with a result or an error")

    async def _attempt(self, operation: Operation[T], give_up: float, *, in_transaction: bool) -> T:
        """Try once, until `give_up` by the loop's clock. A server that no longer answers does not answer a rollback
        either: then the connection is dropped."""
        call_at = asyncio.get_running_loop().call_at
        with translated(self.name), ExitStack() as stack:
            async with asyncio.timeout_at(give_up), self._pool.acquire() as acquired:
                connection = cast("OwnConnection", acquired)  # until the end of the block
                stack.callback(call_at(give_up + _CANCEL_SECONDS, connection.terminate).cancel)
                async with connection.transaction() if in_transaction else nullcontext():
                    return await operation(connection)


def _name_of(operation: Callable[..., object]) -> str:
    """For people; a function inside of another one goes by the outer one's name."""
    named = operation.func if isinstance(operation, partial) else operation
    name: str = getattr(named, "__qualname__", "transaction")
    return name.partition(".<locals>")[0].rpartition(".")[2].lstrip("_")


Connect = Callable[..., Awaitable[Any]]
"""`asyncpg.connect`, or a coroutine that does something before it; called with asyncpg's arguments."""


@asynccontextmanager
async def open_pool(
    name: str,
    connect: Connect,
    *,
    connections: int,
    init: Callable[[OwnConnection], Awaitable[None]],
    operation_patience: float = OPERATION_PATIENCE,
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
            yield Database(name, pool, notifications, operation_patience=operation_patience)
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
