"""The calls to AWS Batch that are made, within its rate."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cody_backends.aws.batch.pace import Pace
from cody_backends.aws.calls import Calls
from cody_backends.aws.errors import Missing, Refused
from cody_jobs.errors import Unavailable

if TYPE_CHECKING:
    from types_aiobotocore_batch.client import BatchClient
    from types_aiobotocore_batch.literals import JobStatusType

IDS_AT_ONCE = 100
"""DescribeJobs takes no more."""
Told = Mapping[str, Any]


class BatchCalls:
    """`pace` is for everything but SubmitJob."""

    def __init__(self, client: "BatchClient", calls: Calls, pace: Pace) -> None:
        self._client = client
        self._calls = calls
        self._pace = pace

    async def check_queue(self, name: str) -> None:
        """Raises `Missing` when there is no such queue, `Unavailable` while it takes no jobs; asks a single time."""
        told = await self._calls.once("DescribeJobQueues", lambda: self._client.describe_job_queues(jobQueues=[name]))
        if not told["jobQueues"]:
            raise Missing(
                f"{self._calls.service}: there is no job queue {name} (BATCH_JOB_QUEUE); look at AWS_REGION, or create "
                "it with `cody-batch ops bootstrap`"
            )
        queue = told["jobQueues"][0]
        if queue["state"] != "ENABLED" or queue.get("status", "VALID") != "VALID":
            state = f"{queue['state']}, {queue.get('status')}: {queue.get('statusReason', 'no reason given')}"
            raise Unavailable(self._calls.service, f"the job queue {name} takes no jobs ({state})")

    async def submit(self, arguments: Mapping[str, Any]) -> str:
        """The new job's id. Throttling is waited out. An answer may be lost, and SubmitJob knows no client token: then
        there are two jobs, of which one is never looked after. Its workers are for the same shards as the others':
        each run is worked on by whoever gets its lease, and who finds no run left ends."""
        try:
            told = await self._calls.run("SubmitJob", lambda: self._client.submit_job(**arguments))
        except Refused as error:
            raise Refused(f"{error}; look at BATCH_JOB_QUEUE and BATCH_JOB_DEFINITION") from error
        return told["jobId"]

    async def describe(self, ids: Sequence[str]) -> dict[str, Told]:
        """By id; what Batch does not know is left out."""
        found: dict[str, Told] = {}
        for start in range(0, len(ids), IDS_AT_ONCE):
            page = list(ids[start : start + IDS_AT_ONCE])
            await self._pace.turn()
            told = await self._calls.run("DescribeJobs", lambda page=page: self._client.describe_jobs(jobs=page))
            found |= {job["jobId"]: cast("Told", job) for job in told["jobs"]}
        return found

    async def list_children(self, parent: str, status: "JobStatusType") -> AsyncGenerator[Told]:
        """Children of an array job in this state, as short summaries: many more of them fit into one answer."""
        arguments: dict[str, Any] = {"arrayJobId": parent, "jobStatus": status}
        while True:
            await self._pace.turn()
            told = await self._calls.run("ListJobs", lambda: self._client.list_jobs(**arguments))
            for child in told["jobSummaryList"]:
                yield cast("Told", child)
            if (token := told.get("nextToken")) is None:
                return
            arguments["nextToken"] = token

    async def terminate(self, job_id: str, reason: str) -> None:
        """Of an array job all children. Nothing happens to a job that has ended or never was."""
        await self._pace.turn()
        try:
            await self._calls.run("TerminateJob", lambda: self._client.terminate_job(jobId=job_id, reason=reason))
        except Refused:
            # Batch knows no such job: it is surely not running.
            return
