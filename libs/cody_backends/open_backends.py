"""Open the ports of the chosen family. Everybody else works with the ports alone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec import Struct

from cody_backends.settings import OPERATION_PATIENCE, BackendSettings
from cody_jobs.ports import JobStore, ResultStore, TokenStore, WorkQueue


class Backends(Struct, frozen=True, kw_only=True):
    jobs: JobStore
    queue: WorkQueue
    results: ResultStore
    tokens: TokenStore


@asynccontextmanager
async def open_backends(
    settings: BackendSettings, *, patience: float = 60.0, operation_patience: float = OPERATION_PATIENCE
) -> AsyncGenerator[Backends]:
    """Connect (and start the embedded server, apply migrations) and close at the end. A database that does not answer
    is waited for, `patience` seconds at first and `operation_patience` seconds by each operation later.

    The four share one small connection pool: PostgreSQL connections are few. Raises `Unavailable` when the database
    cannot be reached, `SettingsError` when a setting is the reason.
    """
    from cody_backends.postgres.job_store import PostgresJobStore
    from cody_backends.postgres.open_database import open_database
    from cody_backends.postgres.result_store import PostgresResultStore
    from cody_backends.postgres.token_store import PostgresTokenStore
    from cody_backends.postgres.work_queue import PostgresWorkQueue

    async with open_database(settings, patience=patience, operation_patience=operation_patience) as database:
        yield Backends(
            jobs=PostgresJobStore(database),
            queue=PostgresWorkQueue(database),
            results=PostgresResultStore(database),
            tokens=PostgresTokenStore(database),
        )
