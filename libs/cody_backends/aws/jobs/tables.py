"""The two tables: every request of the job store goes through here, is counted, and is tried again while that helps.

An answer may be lost after a write has happened, and the write is made again. So every conditional write carries a
`mark` of its call: when its condition fails and the item carries the same mark, it has happened: that is success.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct
from opentelemetry.metrics import Meter

from cody_backends.aws.calls import Calls
from cody_backends.aws.definitions import EXPIRES_AT, Index
from cody_backends.aws.errors import ConditionFailed, TransactionRefused
from cody_backends.aws.jobs.capacity import CapacityMeter
from cody_backends.aws.jobs.items import Item, JobItem, epoch, job_from
from cody_backends.aws.jobs.keys import RunsKey
from cody_backends.aws.jobs.writes import Put, Update, Value, Write, kind_of, names_in, parameters, plain, typed
from cody_jobs.errors import JobNotFound, Unavailable
from cody_jobs.models import Job

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

T = TypeVar("T")
R = TypeVar("R")

_BATCH_GET = 100
_BATCH_WRITE = 25
_AT_ONCE = 16
_PING_SECONDS = 2.0
_PAGES_REMEMBERED = 500
_PLACES_REMEMBERED = 10_000
TRANSACTION_ITEMS = 100
"""So many writes at most are one transaction."""
_LONGEST_LIFE = timedelta(days=60)
"""Items of a job outlive it by that long at most, if nobody deletes them."""


class IndexPage(Struct, frozen=True, kw_only=True):
    """Keys found by an index, and where the next page begins."""

    keys: tuple[Item, ...]
    last: Mapping[str, Value] | None


class Place(Struct, frozen=True, kw_only=True):
    """Which shard a run is in, and its position, by which the shard knows its lease."""

    shard: RunsKey
    position: int


class Tables:
    """`clock` is this machine's: leases are compared by it, and Amazon's time service keeps machines close together."""

    def __init__(
        self,
        client: "DynamoDBClient",
        calls: Calls,
        *,
        jobs: str,
        runs: str,
        retention: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        meter: Meter | None = None,
    ) -> None:
        self._client: Any = client
        self._calls = calls
        self.jobs = jobs
        self.runs = runs
        self.retention = retention
        self.clock = clock
        self._capacity = CapacityMeter(meter)
        self._turns: WeakValueDictionary[RunsKey, asyncio.Lock] = WeakValueDictionary()
        self._pages: OrderedDict[tuple[str, datetime, int], tuple[str, ...]] = OrderedDict()
        self._places: OrderedDict[tuple[str, str], Place] = OrderedDict()

    @property
    def service(self) -> str:
        return self._calls.service

    def new_mark(self) -> str:
        """Stands for one call of the store."""
        return uuid4().hex

    def now(self) -> Decimal:
        return epoch(self.clock())

    def forget_at(self) -> Decimal:
        """When DynamoDB may delete what is written now."""
        return Decimal(int(epoch(self.clock() + self.retention + _LONGEST_LIFE)))

    @asynccontextmanager
    async def turn(self, key: RunsKey) -> AsyncGenerator[None]:
        """Transactions on the same item collide: within this process they take turns."""
        lock = self._turns.setdefault(key, asyncio.Lock())
        async with lock:
            yield

    def remembered_page(self, job: Job, page: int) -> tuple[str, ...] | None:
        """Names that were read before; of this very job: an id may come again after the job was deleted."""
        return self._pages.get((job.id, job.created_at, page))

    def remember_page(self, job: Job, page: int, names: tuple[str, ...]) -> None:
        self._pages[job.id, job.created_at, page] = names
        while len(self._pages) > _PAGES_REMEMBERED:
            self._pages.popitem(last=False)

    def remembered_place(self, job_id: str, repository: str) -> Place | None:
        """Where this process last claimed the run."""
        return self._places.get((job_id, repository))

    def remember_place(self, job_id: str, repository: str, place: Place) -> None:
        self._places[job_id, repository] = place
        while len(self._places) > _PLACES_REMEMBERED:
            self._places.popitem(last=False)

    def remember_size(self, job_id: str, repositories: int) -> None:
        """For the metric of what is consumed."""
        self._capacity.remember(job_id, repositories)

    async def ping(self) -> None:
        """A trivial read, tried once."""
        await self._calls.once("GetItem", lambda: asyncio.wait_for(self._trivial_read(), _PING_SECONDS))

    async def _trivial_read(self) -> None:
        await self._client.get_item(TableName=self.jobs, Key=typed(job_key("-")))

    async def find_job(self, job_id: str) -> JobItem | None:
        item = await self.get(self.jobs, job_key(job_id), job_id=job_id)
        if item is None:
            return None
        self.remember_size(job_id, int(item["repositories"]))
        return job_from(item)

    async def job(self, job_id: str) -> JobItem:
        """Raises `JobNotFound`."""
        found = await self.find_job(job_id) if _is_key(job_id) else None
        if found is None or found.going:
            raise JobNotFound(f"there is no job {job_id}")
        return found

    async def find_jobs(self, job_ids: Sequence[str]) -> dict[str, JobItem]:
        items = await self.batch_get(self.jobs, [job_key(job_id) for job_id in job_ids if _is_key(job_id)])
        found = {str(item["jobId"]): job_from(item) for item in items}
        for job_id, item in found.items():
            self.remember_size(job_id, item.job.repositories)
        return found

    async def find(self, key: RunsKey) -> Item | None:
        """An item of the runs table."""
        return await self.get(self.runs, runs_key(key), job_id=key.job_id)

    async def find_all(self, keys: Sequence[RunsKey]) -> dict[RunsKey, Item]:
        """Items of the runs table by key; absent where there is none."""
        items = await self.batch_get(self.runs, [runs_key(key) for key in keys])
        return {RunsKey(str(item["part"]), str(item["item"])): item for item in items}

    async def get(self, table: str, key: Mapping[str, str], *, job_id: str | None = None) -> Item | None:
        """Consistent, as all reads but those of indexes."""
        answer = await self._call("get_item", "GetItem", job_id, TableName=table, Key=typed(key), ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None

    async def batch_get(self, table: str, keys: Sequence[Mapping[str, str]]) -> list[Item]:
        """In no order, without those that are not there."""
        portions = [keys[first : first + _BATCH_GET] for first in range(0, len(keys), _BATCH_GET)]
        found = await each(portions, lambda portion: self._batch_get(table, portion))
        return [item for items in found for item in items]

    async def _batch_get(self, table: str, keys: Sequence[Mapping[str, str]]) -> list[Item]:
        job_id = _job_of(keys[0])
        found: list[Item] = []

        async def ask(wanted: list[Any]) -> list[Any]:
            request = {table: {"Keys": wanted, "ConsistentRead": True}}
            answer = await self._call("batch_get_item", "BatchGetItem", job_id, RequestItems=request)
            found.extend(plain(item) for item in answer.get("Responses", {}).get(table, ()))
            return answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])

        await self._until_none_left(ask, [typed(key) for key in keys])
        return found

    async def query(self, part: str, prefix: str) -> list[Item]:
        """All items of the runs table in one part whose sort key begins so, in its order."""
        condition = "#part = :part AND begins_with(#item, :prefix)"
        arguments: dict[str, Any] = {
            "TableName": self.runs,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names_in(condition),
            "ExpressionAttributeValues": typed({":part": part, ":prefix": prefix}),
            "ConsistentRead": True,
        }
        job_id = part.partition("#")[0]
        found: list[Item] = []
        while True:
            answer = await self._call("query", "Query", job_id, **arguments)
            found += [plain(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def query_index(
        self,
        index: Index,
        value: str,
        *,
        forward: bool = True,
        limit: int | None = None,
        start: Mapping[str, Value] | None = None,
        sort_at_most: Decimal | None = None,
    ) -> IndexPage:
        """Keys of jobs by an index of theirs: one page of the request's own (with `limit`, of so many). An index is
        late: look at the items themselves."""
        condition = f"#{index.partition.name} = :value"
        values: dict[str, Value] = {":value": value}
        if sort_at_most is not None:
            condition, values[":most"] = f"{condition} AND #{index.sort.name} <= :most", sort_at_most
        arguments: dict[str, Any] = {
            "TableName": self.jobs,
            "IndexName": index.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names_in(condition),
            "ExpressionAttributeValues": typed(values),
            "ScanIndexForward": forward,
        }
        if limit is not None:
            arguments["Limit"] = limit
        if start is not None:
            arguments["ExclusiveStartKey"] = typed(start)
        answer = await self._call("query", "Query", None, **arguments)
        last = answer.get("LastEvaluatedKey")
        return IndexPage(keys=tuple(plain(item) for item in answer["Items"]), last=plain(last) if last else None)

    async def job_ids_by(
        self, index: Index, value: str, *, limit: int | None = None, sort_at_most: Decimal | None = None
    ) -> list[str]:
        """Ids of jobs by an index, in its order; all of them, or about the first `limit`."""
        found: list[str] = []
        start: Mapping[str, Value] | None = None
        while True:
            page = await self.query_index(index, value, limit=limit, start=start, sort_at_most=sort_at_most)
            found += [str(key["jobId"]) for key in page.keys]
            start = page.last
            if start is None or (limit is not None and len(found) >= limit):
                return found

    async def write(self, write: Write, *, mark: str) -> Item:
        """One conditional write. A put or an update sets `mark` by itself (a delete needs none). Returns the item as it
        is after an update; raises `ConditionFailed` with the item that was there."""
        operation, method = {"Put": ("PutItem", "put_item"), "Update": ("UpdateItem", "update_item")}.get(
            kind_of(write), ("DeleteItem", "delete_item")
        )
        arguments = parameters(marked(write, mark))
        if write.condition:
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if isinstance(write, Update):
            arguments["ReturnValues"] = "ALL_NEW"
        try:
            answer = await self._call(method, operation, _job_of_write(write), **arguments)
        except ConditionFailed as failed:
            there = plain(failed.item)
            if there.get("mark") == mark:
                return there
            raise ConditionFailed(there) from failed
        return plain(answer.get("Attributes", {}))

    async def transact(self, writes: Sequence[Write], *, mark: str) -> None:
        """All writes or none. Raises `TransactionRefused` with what was there where a condition failed."""
        items: list[dict[str, Any]] = []
        for write in writes:
            arguments = parameters(marked(write, mark))
            if write.condition:
                arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            items.append({kind_of(write): arguments})
        job_id = _job_of_write(writes[0])
        try:
            await self._call("transact_write_items", "TransactWriteItems", job_id, TransactItems=items)
        except TransactionRefused as refused:
            conditions = [None if one is None else ConditionFailed(plain(one.item)) for one in refused.conditions]
            if any(one is not None and one.item.get("mark") == mark for one in conditions):
                return
            raise TransactionRefused(conditions) from refused

    async def delete_all(self, keys: Sequence[RunsKey]) -> None:
        """Items of the runs table, whatever they hold."""
        portions = [keys[first : first + _BATCH_WRITE] for first in range(0, len(keys), _BATCH_WRITE)]

        async def delete(portion: Sequence[RunsKey]) -> None:
            async def ask(requests: list[Any]) -> list[Any]:
                answer = await self._call(
                    "batch_write_item", "BatchWriteItem", portion[0].job_id, RequestItems={self.runs: requests}
                )
                return answer.get("UnprocessedItems", {}).get(self.runs, [])

            await self._until_none_left(ask, [{"DeleteRequest": {"Key": typed(runs_key(key))}} for key in portion])

        await each(portions, delete)

    async def _until_none_left(self, ask: Callable[[list[Any]], Awaitable[list[Any]]], wanted: list[Any]) -> None:
        """DynamoDB leaves a part of a batch undone when it has too little capacity."""
        left = wanted

        async def go_on() -> None:
            nonlocal left
            left = await ask(left)
            if left:
                raise Unavailable(self.service, f"{len(left)} of {len(wanted)} items of a batch were not processed")

        await self._calls.patiently(go_on)

    async def _call(self, method: str, operation: str, job_id: str | None, **arguments: Any) -> dict[str, Any]:
        call: Callable[..., Awaitable[dict[str, Any]]] = getattr(self._client, method)
        answer = await self._calls.run(operation, lambda: call(ReturnConsumedCapacity="TOTAL", **arguments))
        self._capacity.record(operation, job_id, answer.get("ConsumedCapacity"))
        return answer


def marked(write: Write, mark: str) -> Write:
    match write:
        case Put():
            return msgspec.structs.replace(write, item={**write.item, "mark": mark})
        case Update(marked=True):
            return msgspec.structs.replace(write, set={**write.set, "mark": mark})
        case _:
            return write


async def each(things: Iterable[T], do: Callable[[T], Awaitable[R]], *, at_once: int = _AT_ONCE) -> list[R]:
    """Do it for all of them, so many at a time; the results in their order."""
    places = asyncio.Semaphore(at_once)

    async def one(thing: T) -> R:
        async with places:
            return await do(thing)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(thing), name="each") for thing in things]
    return [task.result() for task in tasks]


def job_key(job_id: str) -> dict[str, str]:
    return {"jobId": job_id}


def runs_key(key: RunsKey) -> dict[str, str]:
    return {"part": key.part, "item": key.item}


def _is_key(job_id: str) -> bool:
    """DynamoDB refuses keys that are empty or longer than 2,048 bytes."""
    return 0 < len(job_id.encode(errors="replace")) <= 512 and "#" not in job_id


def _job_of(key: Mapping[str, Any]) -> str:
    return str(key["jobId"]) if "jobId" in key else str(key["part"]).partition("#")[0]


def _job_of_write(write: Write) -> str:
    return _job_of(write.item if isinstance(write, Put) else write.key)


__all__ = ["EXPIRES_AT", "TRANSACTION_ITEMS", "IndexPage", "Tables", "each", "job_key", "runs_key"]
