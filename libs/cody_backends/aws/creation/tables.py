"""Create tables, add what an older one lacks."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cody_backends.aws.calls import Calls
from cody_backends.aws.creation.waiting import until_ready
from cody_backends.aws.definitions import (
    EXPIRES_AT,
    Index,
    Table,
    attribute_definitions,
    create_table_arguments,
    index_arguments,
)
from cody_backends.aws.errors import Missing, NotOffered
from cody_backends.bootstrap import Outcome, Step
from cody_jobs.errors import SettingsError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

Told = Mapping[str, Any]


class TableCreator:
    def __init__(self, client: "DynamoDBClient", calls: Calls) -> None:
        self._client = client
        self._calls = calls

    async def ping(self) -> None:
        await self._calls.once("ListTables", lambda: self._client.list_tables(Limit=1))

    async def create(self, table: Table) -> AsyncGenerator[Step]:
        """Raises `SettingsError` when a table of this name has another key."""
        told = await self._describe(table.name)
        if told is None:
            arguments = create_table_arguments(table)
            await self._calls.run("CreateTable", lambda: self._client.create_table(**arguments))
            await self._until_active(table.name)
            yield Step(what=f"table {table.name}", outcome=Outcome.CREATED)
        else:
            _check_key(table, told)
            yield Step(what=f"table {table.name}", outcome=Outcome.THERE)
            for index in _missing(table, told):
                yield await self._add_index(table, index)
        yield await self._expire(table.name)
        yield await self._keep_backups(table.name)

    async def _describe(self, name: str) -> Told | None:
        try:
            told = await self._calls.run("DescribeTable", lambda: self._client.describe_table(TableName=name))
        except Missing:
            return None
        return cast("Told", told["Table"])

    async def _add_index(self, table: Table, index: Index) -> Step:
        definitions: Any = attribute_definitions(table)
        updates: Any = [{"Create": index_arguments(index)}]
        await self._calls.run(
            "UpdateTable",
            lambda: self._client.update_table(
                TableName=table.name, AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=updates
            ),
        )
        await self._until_active(table.name)
        return Step(what=f"index {index.name} of {table.name}", outcome=Outcome.CREATED)

    async def _until_active(self, name: str) -> None:
        async def active() -> bool:
            told = await self._describe(name)
            if told is None:
                return False
            states = [told["TableStatus"], *(index["IndexStatus"] for index in told.get("GlobalSecondaryIndexes", ()))]
            return set(states) == {"ACTIVE"}

        await until_ready(f"table {name}", active)

    async def _expire(self, name: str) -> Step:
        what = f"expiry of items in {name}"
        told = await self._calls.run("DescribeTimeToLive", lambda: self._client.describe_time_to_live(TableName=name))
        present = told["TimeToLiveDescription"]
        if present.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
            if present.get("AttributeName") != EXPIRES_AT:
                raise SettingsError(
                    f"table {name} lets items expire by {present.get('AttributeName')}, not by {EXPIRES_AT}: "
                    "switch that off first (aws dynamodb update-time-to-live)"
                )
            return Step(what=what, outcome=Outcome.THERE)
        await self._calls.run(
            "UpdateTimeToLive",
            lambda: self._client.update_time_to_live(
                TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT}
            ),
        )
        return Step(what=what, outcome=Outcome.CREATED)

    async def _keep_backups(self, name: str) -> Step:
        what = f"point-in-time recovery of {name}"
        try:
            told = await self._calls.run(
                "DescribeContinuousBackups", lambda: self._client.describe_continuous_backups(TableName=name)
            )
            if _recoverable(cast("Told", told)):
                return Step(what=what, outcome=Outcome.THERE)
            await self._calls.run(
                "UpdateContinuousBackups",
                lambda: self._client.update_continuous_backups(
                    TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
                ),
            )
        except NotOffered:
            return Step(what=what, outcome=Outcome.NOT_SUPPORTED)
        return Step(what=what, outcome=Outcome.CREATED)


def _recoverable(told: Told) -> bool:
    recovery: Told = told["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"


def _check_key(table: Table, told: Told) -> None:
    wanted = create_table_arguments(table)["KeySchema"]
    if not _same_key(told["KeySchema"], wanted):
        raise SettingsError(
            f"table {table.name} has another key ({_shown(told['KeySchema'])} instead of {_shown(wanted)}): it is of "
            "another version or of another program; choose another name, or move its items and delete it"
        )


def _missing(table: Table, told: Told) -> list[Index]:
    """Indexes that the table lacks. Raises `SettingsError` for one with another key."""
    present = {index["IndexName"]: index for index in told.get("GlobalSecondaryIndexes", ())}
    for index in table.indexes:
        found = present.get(index.name)
        wanted = index_arguments(index)["KeySchema"]
        if found and not _same_key(found["KeySchema"], wanted):
            raise SettingsError(
                f"index {index.name} of table {table.name} has another key ({_shown(found['KeySchema'])} instead of "
                f"{_shown(wanted)}): delete the index, then run this again"
            )
    return [index for index in table.indexes if index.name not in present]


def _same_key(one: Sequence[Told], other: Sequence[Told]) -> bool:
    return _shown(one) == _shown(other)


def _shown(schema: Sequence[Told]) -> str:
    """HASH before RANGE, as AWS tells them."""
    return ", ".join(part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"]))
