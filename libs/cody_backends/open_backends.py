"""Open the ports of the chosen family. Everybody else works with the ports alone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from cody_backends.settings import OPERATION_PATIENCE, BackendFamily, BackendSettings
from cody_jobs.ports import JobStore, ResultStore, RoomStore, TokenStore, WorkQueue
from cody_jobs.ports.batch_store import BatchStore
from cody_jobs.ports.money_store import MoneyStore

if TYPE_CHECKING:
    from cody_backends.postgres.database import Database


class Backends(Struct, frozen=True, kw_only=True):
    jobs: JobStore
    queue: WorkQueue
    results: ResultStore
    tokens: TokenStore
    rooms: RoomStore
    money: MoneyStore
    batches: BatchStore


@asynccontextmanager
async def open_backends(
    settings: BackendSettings, *, patience: float = 60.0, operation_patience: float = OPERATION_PATIENCE
) -> AsyncGenerator[Backends]:
    """Connect (and start the embedded server, apply migrations) and close at the end. What does not answer is waited
    for, `patience` seconds at first and `operation_patience` seconds by each operation later.

    Results, tokens, room, money and batches are always in PostgreSQL; all that is there shares one small connection
    pool, as connections are few. Raises `Unavailable` when something cannot be reached, `SettingsError` when a setting
    is the reason.
    """
    from cody_backends.postgres.batch_store import PostgresBatchStore
    from cody_backends.postgres.money_store import PostgresMoneyStore
    from cody_backends.postgres.open_database import open_database
    from cody_backends.postgres.result_store import PostgresResultStore
    from cody_backends.postgres.room_store import PostgresRoomStore
    from cody_backends.postgres.token_store import PostgresTokenStore

    async with (
        open_database(settings, patience=patience, operation_patience=operation_patience) as database,
        _open_family(settings, database, patience=patience, operation_patience=operation_patience) as (jobs, queue),
    ):
        yield Backends(
            jobs=jobs,
            queue=queue,
            results=PostgresResultStore(database),
            tokens=PostgresTokenStore(database),
            rooms=PostgresRoomStore(database),
            money=PostgresMoneyStore(database),
            batches=PostgresBatchStore(database),
        )


@asynccontextmanager
async def _open_family(
    settings: BackendSettings, database: "Database", *, patience: float, operation_patience: float
) -> AsyncGenerator[tuple[JobStore, WorkQueue]]:
    match settings.cody_backend:
        case BackendFamily.POSTGRES:
            from cody_backends.postgres.job_store import PostgresJobStore
            from cody_backends.postgres.work_queue import PostgresWorkQueue

            yield PostgresJobStore(database), PostgresWorkQueue(database)
        case BackendFamily.AWS:
            from cody_backends.aws.clients import Aws
            from cody_backends.aws.job_store import DynamoJobStore
            from cody_backends.aws.open_tables import open_tables
            from cody_backends.aws.work_queue import open_work_queue

            async with (
                open_tables(settings.aws, patience=patience, operation_patience=operation_patience) as tables,
                open_work_queue(Aws(settings.aws), operation_patience=operation_patience) as queue,
            ):
                yield DynamoJobStore(tables), queue
