"""Tables and queues as data: what `ops bootstrap` creates, what a program checks when it starts, and what
infrastructure code can make its own resources from."""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from cody_backends.aws.settings import AwsSettings
from cody_jobs.messages import JOBS_QUEUE
from cody_jobs.ports.work_queue import RECEIVES_ALLOWED

EXPIRES_AT = "expiresAt"
"""Epoch seconds: DynamoDB deletes an item some time after that (TTL)."""

_DAY_SECONDS = 86_400


class KeyType(StrEnum):
    TEXT = "S"
    NUMBER = "N"


class Key(Struct, frozen=True, kw_only=True):
    name: str
    type: KeyType = KeyType.TEXT


class Index(Struct, frozen=True, kw_only=True):
    """A global secondary index that holds keys alone: it is cheap to write, and late; whoever finds an item by it reads
    the item itself."""

    name: str
    partition: Key
    sort: Key


class Table(Struct, frozen=True, kw_only=True):
    """On demand, with point-in-time recovery, and `EXPIRES_AT` as its TTL."""

    name: str
    partition: Key
    sort: Key | None = None
    indexes: tuple[Index, ...] = ()


class Queue(Struct, frozen=True, kw_only=True):
    """`dead_letters` names the queue that a message goes to at its receive after `RECEIVES_ALLOWED`."""

    name: str
    retention_seconds: int
    visibility_seconds: int = 30
    dead_letters: str | None = None


BY_TIME = Index(name="by-time", partition=Key(name="listing"), sort=Key(name="createdAt", type=KeyType.NUMBER))
BY_STATUS = Index(name="by-status", partition=Key(name="status"), sort=Key(name="createdAt", type=KeyType.NUMBER))
BY_STEP = Index(name="by-step", partition=Key(name="step"), sort=Key(name="updatedAt", type=KeyType.NUMBER))
"""Sparse: only jobs in the middle of a change of many items are in it."""


def tables(settings: AwsSettings) -> tuple[Table, Table]:
    """Of jobs, and of runs, attempts and shards."""
    jobs = Table(name=settings.jobs_table, partition=Key(name="jobId"), indexes=(BY_TIME, BY_STATUS, BY_STEP))
    runs = Table(name=settings.runs_table, partition=Key(name="part"), sort=Key(name="item"))
    return jobs, runs


def dead_letters_of(queue: str) -> str:
    return f"{queue}-dead-letters"


def queue_with_dead_letters(name: str) -> tuple[Queue, Queue]:
    """The dead letters first: the other one refers to it."""
    dead = Queue(name=dead_letters_of(name), retention_seconds=14 * _DAY_SECONDS)
    return dead, Queue(name=name, retention_seconds=4 * _DAY_SECONDS, dead_letters=dead.name)


def queues() -> tuple[Queue, ...]:
    return queue_with_dead_letters(JOBS_QUEUE)


def create_table_arguments(table: Table) -> dict[str, Any]:
    """For CreateTable."""
    arguments: dict[str, Any] = {
        "TableName": table.name,
        "KeySchema": _key_schema(table.partition, table.sort),
        "AttributeDefinitions": attribute_definitions(table),
        "BillingMode": "PAY_PER_REQUEST",
    }
    if table.indexes:
        arguments["GlobalSecondaryIndexes"] = [index_arguments(index) for index in table.indexes]
    return arguments


def index_arguments(index: Index) -> dict[str, Any]:
    """For CreateTable and UpdateTable."""
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.partition, index.sort),
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def attribute_definitions(table: Table) -> list[dict[str, str]]:
    keys = [table.partition, table.sort, *(key for index in table.indexes for key in (index.partition, index.sort))]
    types = {key.name: key.type.value for key in keys if key is not None}
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def create_queue_attributes(queue: Queue, *, dead_letters_arn: str | None = None) -> dict[str, str]:
    """For CreateQueue; `dead_letters_arn` is the address of the queue that `queue.dead_letters` names."""
    attributes = {
        "MessageRetentionPeriod": str(queue.retention_seconds),
        "VisibilityTimeout": str(queue.visibility_seconds),
    }
    if dead_letters_arn is not None:
        policy = f'{{"deadLetterTargetArn":"{dead_letters_arn}","maxReceiveCount":{RECEIVES_ALLOWED}}}'
        attributes["RedrivePolicy"] = policy
    return attributes


def _key_schema(partition: Key, sort: Key | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition.name, "KeyType": "HASH"}]
    return schema if sort is None else [*schema, {"AttributeName": sort.name, "KeyType": "RANGE"}]
