"""Open the tables of jobs and runs, and see that they are the ones that this program needs."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.definitions import Table, create_table_arguments, index_arguments, tables
from cody_backends.aws.errors import Missing, SomethingElse
from cody_backends.aws.jobs.tables import Tables
from cody_backends.aws.settings import AwsSettings
from cody_backends.settings import OPERATION_PATIENCE
from cody_jobs.errors import SettingsError, Unavailable
from cody_runtime.waiting import wait_for

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

Told = Mapping[str, Any]

_PATIENCE_SECONDS = 60.0
_BOOTSTRAP = "`cody-batch ops bootstrap`, or the infrastructure code of the account"


class _NotYet(Unavailable):
    """What may still come, and what is to be said when it does not."""

    def __init__(self, service: str, reason: SettingsError) -> None:
        super().__init__(service, str(reason))
        self.reason = reason


@asynccontextmanager
async def open_tables(
    settings: AwsSettings, *, patience: float = _PATIENCE_SECONDS, operation_patience: float = OPERATION_PATIENCE
) -> AsyncGenerator[Tables]:
    """Connect, waiting `patience` seconds for tables (and indexes) that are not there yet: programs start before what
    creates them is done. Later, each operation waits `operation_patience` seconds.

    Raises `SettingsError` for a table that is missing, of another version, or not permitted, and `Unavailable` when
    nobody answers.
    """
    aws = Aws(settings)
    calls = Calls(aws.name_of("DynamoDB"), patience=operation_patience)
    jobs, runs = tables(settings)
    async with aws.dynamodb() as client:
        for table, variable in ((jobs, "JOBS_TABLE"), (runs, "RUNS_TABLE")):
            await _wait_for(client, calls, table, variable, patience)
        yield Tables(
            client, calls, jobs=jobs.name, runs=runs.name, retention=timedelta(days=settings.job_retention_days)
        )


async def _wait_for(client: "DynamoDBClient", calls: Calls, table: Table, variable: str, patience: float) -> None:
    what = f"table {table.name} ({variable}) of {calls.service} (AWS_REGION)"
    try:
        await wait_for(what, partial(_check, client, calls, table, variable), patience=patience)
    except _NotYet as error:
        raise error.reason from error
    except Unavailable as error:
        reason = f"{error}; look at AWS_REGION, at the network, and, where it is not AWS, at AWS_ENDPOINT_URL_DYNAMODB"
        raise Unavailable(what, reason) from error


async def _check(client: "DynamoDBClient", calls: Calls, table: Table, variable: str) -> None:
    told = await _describe(client, calls, table, variable)
    _check_key(calls, table, told)
    _check_indexes(calls, table, told)
    _check_ready(calls, table, told)


async def _describe(client: "DynamoDBClient", calls: Calls, table: Table, variable: str) -> Told:
    try:
        answer = await calls.once("DescribeTable", lambda: client.describe_table(TableName=table.name))
    except Missing as missing:
        raise _NotYet(calls.service, _missing(client, calls, table, variable)) from missing
    except SomethingElse as error:
        raise SettingsError(_not_dynamodb(client, calls)) from error
    if "Table" not in answer:
        raise SettingsError(_not_dynamodb(client, calls))
    return cast("Told", answer["Table"])


def _not_dynamodb(client: "DynamoDBClient", calls: Calls) -> str:
    place = client.meta.endpoint_url
    return f"{calls.service}: what answers at {place} is not DynamoDB; look at AWS_ENDPOINT_URL_DYNAMODB"


def _missing(client: "DynamoDBClient", calls: Calls, table: Table, variable: str) -> Missing:
    return Missing(
        f"{calls.service} ({client.meta.endpoint_url}) has no table {table.name}: look at AWS_REGION and {variable}, "
        f"or create it: {_BOOTSTRAP}"
    )


def _check_key(calls: Calls, table: Table, told: Told) -> None:
    """The key of a table never changes: there is nothing to wait for."""
    wanted = create_table_arguments(table)["KeySchema"]
    if not _same(told["KeySchema"], wanted):
        key = f"{_shown(told['KeySchema'])} instead of {_shown(wanted)}"
        raise SettingsError(
            f"table {table.name} in {calls.service} has the key {key}: "
            "it is of another version or of another program; choose another name"
        )


def _check_indexes(calls: Calls, table: Table, told: Told) -> None:
    there = {index["IndexName"]: index["KeySchema"] for index in told.get("GlobalSecondaryIndexes", ())}
    wanted = {index.name: index_arguments(index)["KeySchema"] for index in table.indexes}
    wrong = [name for name, schema in wanted.items() if name not in there or not _same(there[name], schema)]
    if wrong:
        raise _NotYet(
            calls.service,
            SettingsError(
                f"table {table.name} of {calls.service} is of another version: {', '.join(wrong)} is missing or has "
                f"another key among its indexes; bring it up to date: {_BOOTSTRAP}"
            ),
        )


def _check_ready(calls: Calls, table: Table, told: Told) -> None:
    if told["TableStatus"] not in {"ACTIVE", "UPDATING"}:
        raise Unavailable(calls.service, f"table {table.name} is {told['TableStatus']}")
    for index in told.get("GlobalSecondaryIndexes", ()):
        if index.get("IndexStatus") == "CREATING":
            raise Unavailable(calls.service, f"index {index['IndexName']} of table {table.name} is still being built")


def _same(one: Sequence[Told], other: Sequence[Told]) -> bool:
    return _shown(one) == _shown(other)


def _shown(schema: Sequence[Told]) -> str:
    """HASH before RANGE, as AWS tells them."""
    return ", ".join(part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"]))
