"""How many requests things take, and what they consume."""

from typing import cast

from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from cody_jobs.models import RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import LEASE, create, dispatch, dispatched, failed, names
from tests.support.watched_dynamodb import Watched


async def test_ten_thousand_repositories_are_created_with_about_a_hundred_requests(
    store: JobStore, client: Watched
) -> None:
    await create(store, 10_000)

    assert sum(client.calls.values()) <= 110


async def test_a_heartbeat_costs_the_same_whatever_a_shard_holds(store: JobStore, client: Watched) -> None:
    job = await dispatched(store, 8, per_shard=8)
    for repository in names(8):
        await store.claim_run(job.id, repository, owner="worker", lease=LEASE)

    client.live()
    await store.renew_leases(job.id, names(1), owner="worker", lease=LEASE)
    of_one = sum(client.calls.values())
    client.live()
    await store.renew_leases(job.id, names(8), owner="worker", lease=LEASE)

    assert sum(client.calls.values()) == of_one


async def test_a_few_failed_runs_of_many_are_found_without_a_look_at_all(store: JobStore, client: Watched) -> None:
    job = await dispatched(store, 2_000, per_shard=20)
    await store.claim_run(job.id, "owner/r1234", owner="worker", lease=LEASE)
    await store.finish_run(job.id, "owner/r1234", owner="worker", result=failed())
    client.live()

    page = await store.list_runs(job.id, status=RunStatus.FAILED, limit=50, cursor=None)

    assert [run.repository for run in page.items] == ["owner/r1234"]
    assert sum(client.calls.values()) <= 5


def consumed(metrics: InMemoryMetricReader) -> dict[tuple[str, str, str], float]:
    """By table (without its number), operation and size of the job."""
    data = metrics.get_metrics_data()
    assert data is not None
    [metric] = [
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "cody.dynamodb.capacity"
    ]
    assert metric.unit == "{capacity_unit}"
    points = cast("list[NumberDataPoint]", list(metric.data.data_points))
    return {
        (
            str((point.attributes or {})["aws.dynamodb.table"]).partition("-")[0],
            str((point.attributes or {})["rpc.method"]),
            str((point.attributes or {})["cody.job.size"]),
        ): float(point.value)
        for point in points
    }


async def test_capacity_is_counted_by_table_operation_and_size_of_the_job(
    store: JobStore, metrics: InMemoryMetricReader
) -> None:
    small, large = await create(store, 3), await create(store, 150)
    for job in (small, large):
        await store.get_job(job.id)
        await dispatch(store, job.id, per_shard=10)

    used = consumed(metrics)

    assert used["jobs", "GetItem", "1-10"] > 0
    assert used["jobs", "GetItem", "101-1000"] > 0
    assert used["runs", "TransactWriteItems", "101-1000"] > used["runs", "TransactWriteItems", "1-10"] > 0
    assert used["runs", "PutItem", "101-1000"] > 0
