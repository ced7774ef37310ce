"""Hand jobs of 10 to 10,000 repositories to AWS Batch: how many requests and capacity units that takes, and how long,
compared with the same writes in a bare loop. DynamoDB Local stands in for DynamoDB, a stand-in for AWS Batch.

    ./dev bench dispatch [--repositories 10 100 1000 10000] [--rounds 3]
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from benchmarks.bare_dispatch import dispatch_bare
from benchmarks.tables import print_head, print_machine, print_row
from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.compute import open_batch_compute
from cody_backends.aws.definitions import create_table_arguments, tables
from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.tables import Tables
from cody_backends.aws.settings import AwsSettings, BatchSettings
from cody_dispatcher.dispatch_job import dispatch_job
from cody_dispatcher.ports import DispatcherPorts
from cody_jobs.events import EventBody
from cody_jobs.identity import new_job_id
from cody_jobs.models import JobSpec, JobType, NewJob
from cody_jobs.ports import Compute, ResultStore, WorkQueue
from cody_runtime.logs import configure_logs
from cody_stand_ins.batch import BatchStandIn, batch_stand_in
from tests.servers.aws_server import REGION, AwsServer
from tests.servers.dynamodb_local import run_dynamodb_local
from tests.support.aws import create_job_queue, environment_of

PER_WORKER = 8


class Counted:
    """A DynamoDB client that counts requests and the capacity units that the answers tell."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.requests: Counter[str] = Counter()
        self.units = 0.0

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def counted(**arguments: Any) -> Any:
            answer = await call(**arguments)
            self.requests[operation] += 1
            consumed: Any = answer.get("ConsumedCapacity") or []
            told = cast("list[dict[str, Any]]", consumed if isinstance(consumed, list) else [consumed])
            self.units += sum(float(table["CapacityUnits"]) for table in told)
            return answer

        return counted

    def reset(self) -> None:
        self.requests.clear()
        self.units = 0.0


class NoEvents:
    """In the place of the ResultStore, of which a dispatch needs only the feed: PostgreSQL is not measured here."""

    async def append_events(self, job_id: str, events: Sequence[EventBody], *, key: str | None = None) -> None:
        del job_id, events, key


class Bench(Struct, frozen=True, kw_only=True):
    client: Any
    counted: Counted
    jobs: DynamoJobStore
    compute: Compute
    batch: BatchStandIn
    settings: AwsSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print_machine()
    configure_logs("bench", level="WARNING", plain=True)
    asyncio.run(run(options.repositories, options.rounds))


async def run(sizes: Sequence[int], rounds: int) -> None:
    print_head(
        "repositories", "workers", "SubmitJob", "requests", "requests each", "units each", "s", "s per 1,000", "bare s",
        "ratio",
    )  # fmt: skip
    async with opened() as bench:
        await ours(bench, 10)  # connections and imports are there
        await bare(bench, 10)
        for size in sizes:
            await measure(bench, size, rounds)


async def measure(bench: Bench, size: int, rounds: int) -> None:
    """Ours and the bare loop take turns, so that what else the machine does meets both."""
    taken: list[tuple[float, float]] = []
    requests, units = 0, 0.0
    submitted = (await bench.batch.stats()).calls.get("SubmitJob", 0)
    for _ in range(rounds):
        bench.counted.reset()
        seconds = await ours(bench, size)
        requests, units = sum(bench.counted.requests.values()), bench.counted.units
        taken.append((seconds, await bare(bench, size)))
    calls = (await bench.batch.stats()).calls["SubmitJob"] - submitted
    mine, others = (statistics.median(column) for column in zip(*taken, strict=True))
    ratio = statistics.median(ours_ / bare_ for ours_, bare_ in taken)
    print_row(
        f"{size:,}", f"{-(-size // PER_WORKER):,}", calls // rounds // 2, f"{requests:,}", f"{requests / size:.2f}",
        f"{units / size:.2f}", f"{mine:.2f}", f"{mine / size * 1000:.2f}", f"{others:.2f}", f"{ratio:.2f}",
    )  # fmt: skip


async def ours(bench: Bench, size: int) -> float:
    job_id = await create(bench, size)
    ports = DispatcherPorts(
        jobs=bench.jobs,
        queue=cast("WorkQueue", None),
        results=cast("ResultStore", NoEvents()),
        compute=bench.compute,
    )
    bench.counted.reset()
    began = time.perf_counter()
    workers = await dispatch_job(ports, job_id, repositories_per_worker=PER_WORKER)
    seconds = time.perf_counter() - began
    assert workers == -(-size // PER_WORKER)
    return seconds


async def bare(bench: Bench, size: int) -> float:
    job_id = await create(bench, size)
    began = time.perf_counter()
    await dispatch_bare(bench.client, bench.compute, bench.settings, job_id, PER_WORKER)
    return time.perf_counter() - began


async def create(bench: Bench, size: int) -> str:
    spec = JobSpec(name="Bench", type=JobType.CODE_PATTERN_UPDATE, prompt="Rewrite Optional[X] to X | None.")
    job = NewJob(id=new_job_id(), spec=spec, fingerprint="f", submitted_by="bench", traceparent=None)
    return (await bench.jobs.create_job(job, [f"bench/repository-{number}" for number in range(size)])).id


@asynccontextmanager
async def opened() -> AsyncGenerator[Bench]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cody-bench-")))
        server = await stack.enter_async_context(run_dynamodb_local(folder, os.environ))
        batch = await stack.enter_async_context(batch_stand_in(options=["--places=0"]))
        stack.enter_context(environment_of(endpoints(server, batch)))
        settings, of_batch = AwsSettings(aws_region=REGION), BatchSettings()
        aws = Aws(settings)
        client = await stack.enter_async_context(aws.dynamodb())
        for table in tables(settings):
            await client.create_table(**create_table_arguments(table))
        await create_job_queue(aws, of_batch)
        counted = Counted(client)
        of_tables = Tables(
            cast("Any", counted),
            Calls("DynamoDB Local", patience=30),
            jobs=settings.jobs_table,
            runs=settings.runs_table,
            retention=timedelta(days=1),
        )
        yield Bench(
            client=client,
            counted=counted,
            jobs=DynamoJobStore(of_tables),
            compute=await stack.enter_async_context(open_batch_compute(aws, of_batch)),
            batch=batch,
            settings=settings,
        )


def endpoints(server: AwsServer, batch: BatchStandIn) -> dict[str, str]:
    logs = {"AWS_ENDPOINT_URL_BATCH": batch.url, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": batch.url}
    return {**server.environment("dynamodb"), **logs}


if __name__ == "__main__":
    main()
