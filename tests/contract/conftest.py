"""One set of tests over every adapter of a port: each test is run once for each name in `params`.

Tests know the port alone. What a port cannot do (an operator's edit by hand, a job that was left half written), a
fixture does for each adapter.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.tables import Tables, job_key
from cody_backends.aws.jobs.writes import Update
from cody_backends.postgres.connection import OwnConnection
from cody_backends.postgres.database import Database, Operation
from cody_backends.postgres.embedded.server import EmbeddedServer
from cody_backends.postgres.job_store import PostgresJobStore
from cody_backends.postgres.money_store import PostgresMoneyStore
from cody_backends.postgres.open_database import open_database
from cody_backends.postgres.result_store import PostgresResultStore
from cody_backends.postgres.results.spans import SpanBounds
from cody_backends.postgres.token_store import PostgresTokenStore
from cody_backends.postgres.work_queue import PostgresWorkQueue
from cody_backends.settings import BackendSettings
from cody_jobs.models import JobStatus
from cody_jobs.ports import JobStore, ResultStore, TokenStore, WorkQueue
from cody_jobs.ports.money_store import MoneyStore
from tests.servers.aws_server import AwsServer
from tests.support.dynamodb_tables import EveryAnswerLost, InTurn, use_tables
from tests.support.sqs_queues import use_queues

T = TypeVar("T")
SetStatusByHand = Callable[[str, JobStatus], Awaitable[None]]

_EMPTY = "; ".join(
    f"DELETE FROM {table}"
    for table in (
        "jobs",
        "messages",
        "dead_letters",
        "file_results",
        "known_outcomes",
        "threads",
        "claude_calls",
        "run_usage",
        "patches",
        "plans",
        "known_plans",
        "run_reports",
        "events",
        "spans",
        "api_tokens",
        "claude_room",
        "money_accounts",
        "money_reservations",
        "batch_submissions",
    )
)


class AnswersLost(Database):
    """Every answer to a COMMIT is lost once, so that everything is done twice."""

    async def run(self, operation: Operation[T]) -> T:
        await super().run(operation)
        return await super().run(operation)

    async def run_statement(self, operation: Operation[T]) -> T:
        await super().run_statement(operation)
        return await super().run_statement(operation)


@pytest.fixture(scope="session")
async def contract_database(
    postgres_server: EmbeddedServer, administrator: OwnConnection, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Database]:
    """One for all tests of this folder: they are many and short."""
    await administrator.execute("CREATE DATABASE contract")
    settings = BackendSettings(
        database_url=f"postgresql:///contract?host={postgres_server.socket_folder}&user=cody",
        cody_data=str(tmp_path_factory.mktemp("contract")),
    )
    async with open_database(settings) as opened:
        yield opened


@pytest.fixture
async def database(contract_database: Database) -> Database:
    """Empty."""
    async with contract_database.connection() as connection:
        await connection.execute(_EMPTY)
    return contract_database


@pytest.fixture
def forgetful_database(database: Database) -> Database:
    """The same database, and the same pool, for who never hears the first answer."""
    forgetful = AnswersLost.__new__(AnswersLost)
    vars(forgetful).update(vars(database))
    return forgetful


_ADAPTERS = {"postgres": "database", "postgres, answers lost": "forgetful_database"}


def _database_of(request: pytest.FixtureRequest) -> Database:
    return request.getfixturevalue(_ADAPTERS[request.param])


_DYNAMODB = {
    "DynamoDB on moto": "tables_of_moto",
    "DynamoDB Local": "tables_of_dynamodb_local",
    "DynamoDB Local, answers lost": "forgetful_tables",
}


_MOTO = "moto copies whole tables for every transaction, and has to be asked one request at a time"
_LEFT_OUT = {
    ("DynamoDB on moto", "dozens_of_transactions"): _MOTO,
    ("DynamoDB on moto", "many_at_once"): _MOTO,
    ("DynamoDB on moto", "thousands_of_transactions"): _MOTO,
    ("DynamoDB Local, answers lost", "thousands_of_transactions"): "the same, twice: smaller jobs do it, too",
}


def pytest_configure(config: pytest.Config) -> None:
    for _, marker in _LEFT_OUT:
        config.addinivalue_line("markers", f"{marker}: what a test needs, and not every adapter is quick at")


@pytest.fixture
async def tables_of_moto(moto_server: AwsServer) -> AsyncGenerator[Tables]:
    async with use_tables(moto_server, wrap=InTurn) as tables:
        yield tables


@pytest.fixture
async def tables_of_dynamodb_local(dynamodb_local: AwsServer) -> AsyncGenerator[Tables]:
    async with use_tables(dynamodb_local) as tables:
        yield tables


@pytest.fixture
async def forgetful_tables(dynamodb_local: AwsServer) -> AsyncGenerator[Tables]:
    async with use_tables(dynamodb_local, wrap=EveryAnswerLost) as tables:
        yield tables


@pytest.fixture(params=[*_ADAPTERS, *_DYNAMODB])
def job_store(request: pytest.FixtureRequest) -> JobStore:
    for (adapter, marker), reason in _LEFT_OUT.items():
        if adapter == request.param and request.node.get_closest_marker(marker):
            pytest.skip(reason)
    if request.param in _DYNAMODB:
        return DynamoJobStore(request.getfixturevalue(_DYNAMODB[request.param]))
    return PostgresJobStore(_database_of(request))


@pytest.fixture
def set_status_by_hand(job_store: JobStore, request: pytest.FixtureRequest) -> SetStatusByHand:
    """What an operator does with the database's own tools, and nothing but that."""
    adapter = request.node.callspec.params["job_store"]
    if adapter in _DYNAMODB:
        return partial(_update_item, request.getfixturevalue(_DYNAMODB[adapter]))
    return partial(_update_row, request.getfixturevalue("database"))


async def _update_row(database: Database, job_id: str, status: JobStatus) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE jobs SET status = $2 WHERE id = $1", job_id, status)


async def _update_item(tables: Tables, job_id: str, status: JobStatus) -> None:
    await tables.write(
        Update(table=tables.jobs, key=job_key(job_id), set={"status": status.value}, marked=False), mark=""
    )


_SQS = {"moto": "queues_of_moto", "ElasticMQ": "queues_of_elasticmq"}


@pytest.fixture
async def queues_of_moto(moto_server: AwsServer) -> AsyncGenerator[WorkQueue]:
    async with use_queues(moto_server) as queue:
        yield queue


@pytest.fixture
async def queues_of_elasticmq(elasticmq: AwsServer) -> AsyncGenerator[WorkQueue]:
    async with use_queues(elasticmq) as queue:
        yield queue


@pytest.fixture(params=[*_ADAPTERS, *_SQS])
def work_queue(request: pytest.FixtureRequest) -> WorkQueue:
    """PostgreSQL waits for notifications alone: where one is missing, a test waits in vain."""
    if request.param in _SQS:
        return request.getfixturevalue(_SQS[request.param])
    return PostgresWorkQueue(_database_of(request), look_again=timedelta(hours=1))


@pytest.fixture(params=_ADAPTERS)
def result_store(request: pytest.FixtureRequest) -> ResultStore:
    """Waits for notifications alone: where one is missing, a test waits in vain."""
    return PostgresResultStore(_database_of(request), look_again=timedelta(hours=1))


@pytest.fixture(params=_ADAPTERS)
def small_span_store(request: pytest.FixtureRequest) -> ResultStore:
    """Keeps 100 spans, looked after at every 10th."""
    return PostgresResultStore(_database_of(request), span_bounds=SpanBounds(spans=100, trim_every=10))


@pytest.fixture(params=_ADAPTERS)
def money_store(request: pytest.FixtureRequest) -> MoneyStore:
    return PostgresMoneyStore(_database_of(request))


@pytest.fixture(params=_ADAPTERS)
def token_store(request: pytest.FixtureRequest) -> TokenStore:
    return PostgresTokenStore(_database_of(request))
