"""The loop that one would write by hand: the same items in the same transactions, which tell what they consumed (what
DynamoDB Local answers to that is long), with aioboto3 and nothing else. No marks for lost answers, no second look, no
retries, no spans, no metrics: what those cost is what is measured."""

import asyncio
import time
import zlib
from collections.abc import Sequence
from typing import Any

from cody_backends.aws.settings import AwsSettings
from cody_jobs.ports import Compute, ComputeRequest

_AT_ONCE = 16
_PAGE = 100


async def dispatch_bare(client: Any, compute: Compute, settings: AwsSettings, job_id: str, per_worker: int) -> None:
    """`client` is aioboto3's for DynamoDB."""
    runs = settings.runs_table
    job = (await client.get_item(TableName=settings.jobs_table, Key={"jobId": _s(job_id)}, ConsistentRead=True))["Item"]
    size = int(job["repositories"]["N"])
    names = await _names(client, runs, job_id, size)
    shards = [names[first : first + per_worker] for first in range(0, size, per_worker)]
    await client.transact_write_items(TransactItems=_attempt(settings, job_id, size, len(shards)))
    places = asyncio.Semaphore(_AT_ONCE)

    async def write(index: int) -> None:
        async with places:
            items = _shard(runs, job_id, index, index * per_worker, shards[index])
            await client.transact_write_items(TransactItems=items, ReturnConsumedCapacity="TOTAL")

    await asyncio.gather(*(write(index) for index in range(len(shards))))
    request = ComputeRequest(job_id=job_id, attempt=1, shards=len(shards), environment={})
    compute_id = await compute.start(request)
    await client.update_item(
        TableName=runs,
        Key={"part": _s(job_id), "item": _s("attempt#00001")},
        UpdateExpression="SET computeId = :id, done = :true",
        ExpressionAttributeValues={":id": _s(compute_id), ":true": {"BOOL": True}},
    )


async def _names(client: Any, runs: str, job_id: str, size: int) -> list[str]:
    names: list[str] = []
    pages = [f"page#{page:05d}" for page in range(-(-size // _PAGE))]
    for first in range(0, len(pages), 100):
        keys = [{"part": _s(job_id), "item": _s(page)} for page in pages[first : first + 100]]
        answer = await client.batch_get_item(RequestItems={runs: {"Keys": keys, "ConsistentRead": True}})
        for item in sorted(answer["Responses"][runs], key=lambda item: item["item"]["S"]):
            names += [name["S"] for name in item["names"]["L"]]
    return names


def _attempt(settings: AwsSettings, job_id: str, size: int, shards: int) -> list[dict[str, Any]]:
    made = {
        "part": _s(job_id),
        "item": _s("attempt#00001"),
        "number": _n(1),
        "shards": _n(shards),
        "queued": {"B": b"\xff" * -(-size // 8)},
        "createdAt": _n(time.time()),
    }
    return [
        {"Put": {"TableName": settings.runs_table, "Item": made, "ConditionExpression": "attribute_not_exists(part)"}},
        {
            "Update": {
                "TableName": settings.jobs_table,
                "Key": {"jobId": _s(job_id)},
                "UpdateExpression": "SET #status = :running, attempt = :one ADD openShards :shards",
                "ConditionExpression": "#status = :pending AND attempt = :none",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {
                    ":running": _s("RUNNING"),
                    ":pending": _s("PENDING"),
                    ":one": _n(1),
                    ":none": _n(0),
                    ":shards": _n(shards),
                },
            }
        },
    ]


def _shard(runs: str, job_id: str, index: int, first: int, names: Sequence[str]) -> list[dict[str, Any]]:
    shard: dict[str, Any] = {
        "part": _s(job_id),
        "item": _s(f"shard#00001#{index:05d}"),
        "positions": {"L": [_n(first + place) for place in range(len(names))]},
        "dispatched": _n(len(names)),
        "leases": {"M": {}},
        "createdAt": _n(time.time()),
    }
    condition = "attribute_not_exists(part)"
    items: list[dict[str, Any]] = [{"Put": {"TableName": runs, "Item": shard, "ConditionExpression": condition}}]
    for place, name in enumerate(names):
        run = {
            "part": _s(f"{job_id}#{zlib.crc32(name.encode()) % 16:02d}"),
            "item": _s(f"run#{name}"),
            "jobId": _s(job_id),
            "repository": _s(name),
            "position": _n(first + place),
            "status": _s("DISPATCHED"),
            "attempt": _n(1),
            "shard": _n(index),
            "dispatches": _n(1),
            "losses": _n(0),
            "updatedAt": _n(time.time()),
        }
        items.append({"Put": {"TableName": runs, "Item": run, "ConditionExpression": condition}})
    return items


def _s(text: str) -> dict[str, str]:
    return {"S": text}


def _n(number: float) -> dict[str, str]:
    return {"N": str(number)}
