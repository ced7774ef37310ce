"""What a repository costs over the whole life of its job is the same whatever the job's size."""

import asyncio
from typing import cast

from msgspec import Struct
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from cody_jobs.ports import JobStore
from tests.contract.jobs import LEASE, PATCH, create, dispatch
from tests.support.watched_dynamodb import Watched

PER_SHARD = 10


class Cost(Struct, frozen=True, kw_only=True):
    """Of one repository."""

    requests: float
    units: float


async def test_a_repository_costs_the_same_in_a_job_of_any_size(
    store: JobStore, client: Watched, metrics: InMemoryMetricReader
) -> None:
    """Of the largest job, three shards are worked on: each costs what each of the others would."""
    small, medium = [await cost_in(size, store, client, metrics) for size in (10, 100)]
    large = await cost_in(1_000, store, client, metrics, worked_on=3)

    assert large.requests <= medium.requests <= small.requests < 7
    assert large.units <= medium.units <= small.units < 16
    assert medium.requests < 5.2
    assert medium.units < 12.5


async def cost_in(
    repositories: int, store: JobStore, client: Watched, metrics: InMemoryMetricReader, *, worked_on: int | None = None
) -> Cost:
    """With so many shards worked on, or all of them."""
    client.live()
    before = units(metrics)
    job = await create(store, repositories)
    attempt = await dispatch(store, job.id, per_shard=PER_SHARD)
    begun = Cost(requests=sum(client.calls.values()), units=units(metrics) - before)
    told = [await work(store, job.id, index) for index in range(worked_on or attempt.shards)]
    done = Cost(requests=sum(client.calls.values()), units=units(metrics) - before)
    assert sum(told) == (len(told) == attempt.shards)
    runs = len(told) * PER_SHARD
    return Cost(
        requests=begun.requests / repositories + (done.requests - begun.requests) / runs,
        units=begun.units / repositories + (done.units - begun.units) / runs,
    )


async def work(store: JobStore, job_id: str, index: int) -> bool:
    """As a worker does, with one heartbeat; whether it was told that the job has ended."""
    owner, repositories = f"worker-{index}", (await store.get_shard(job_id, 1, index)).repositories
    await asyncio.gather(*(store.claim_run(job_id, name, owner=owner, lease=LEASE) for name in repositories))
    await store.renew_leases(job_id, repositories, owner=owner, lease=LEASE)
    await asyncio.gather(*(store.finish_run(job_id, name, owner=owner, result=PATCH) for name in repositories))
    return (await store.end_shard(job_id, 1, index)).job_ended_now


def units(metrics: InMemoryMetricReader) -> float:
    """Capacity units consumed until now, in both tables."""
    data = metrics.get_metrics_data()
    if data is None:
        return 0.0
    points = [
        cast("NumberDataPoint", point)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    return float(sum(point.value for point in points))
