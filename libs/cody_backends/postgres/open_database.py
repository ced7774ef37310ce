"""Open the database that the settings name: one given by URL, or a server of our own in the data folder."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from cody_backends.postgres.connection import OwnConnection, connect, use_json
from cody_backends.postgres.database import Connect, Database, open_pool
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.report import SERVER
from cody_backends.postgres.embedded.server import use_server
from cody_backends.postgres.migrate import migrate, read_migrations
from cody_backends.postgres.tracing import trace_queries
from cody_backends.settings import OPERATION_PATIENCE, BackendSettings
from cody_jobs.errors import SettingsError
from cody_runtime.waiting import wait_for

_PATIENCE_SECONDS = 60.0
_CONNECT_SECONDS = 10.0


@asynccontextmanager
async def open_database(
    settings: BackendSettings, *, patience: float = _PATIENCE_SECONDS, operation_patience: float = OPERATION_PATIENCE
) -> AsyncGenerator[Database]:
    """Connect, waiting `patience` seconds for the server, and bring the schema up to date. Later, each operation waits
    `operation_patience` seconds.

    Raises `SettingsError` for a URL, password or database name that is wrong, `Unavailable` when nobody answers.
    """
    trace_queries()
    async with (
        _server(settings) as (name, connect),
        open_pool(
            name,
            connect,
            connections=settings.database_connections,
            init=use_json,
            operation_patience=operation_patience,
        ) as database,
    ):
        await wait_for(name, partial(_bring_up_to_date, database), patience=patience)
        yield database


@asynccontextmanager
async def _server(settings: BackendSettings) -> AsyncGenerator[tuple[str, Connect]]:
    """Its name for people, and the way to connect to it."""
    if settings.database_url is not None:
        yield "PostgreSQL (DATABASE_URL)", _connector(settings.database_url)
        return
    async with use_server(Layout(data=str(settings.data_folder))) as server:
        yield SERVER, server.connect


async def _bring_up_to_date(database: Database) -> None:
    async with database.connection() as connection:
        await migrate(connection, read_migrations())


def _connector(url: str) -> Connect:
    """The URL may hold a password: no message of a parser, which may quote a part of it, is shown."""

    async def connect_there(*_args: Any, **kwargs: Any) -> OwnConnection:
        try:
            return await connect(url, timeout=_CONNECT_SECONDS, **kwargs)
        except ValueError:
            raise SettingsError(
                "DATABASE_URL is not a PostgreSQL address (postgresql://user:password@host:port/name). "
                "Characters like @ / : # in a password are written percent-encoded"
            ) from None

    return connect_there
