"""SubmitJob, DescribeJobs, ListJobs and TerminateJob."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cody_stand_ins.batch.jobs import Job, Status, Unit
from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.refusal import client_error
from cody_stand_ins.batch.resources import Resources
from cody_stand_ins.batch.runner import Runner
from cody_stand_ins.batch.submission import read_submission

Body = Mapping[str, Any]
_IDS_AT_ONCE = 100
_PAGE = 1000


class JobCalls:
    def __init__(self, options: Options, resources: Resources, runner: Runner) -> None:
        self._options = options
        self._resources = resources
        self._runner = runner
        self._jobs: dict[str, Job] = {}

    def operations(self, payload: int) -> Mapping[str, Callable[[Body], Body]]:
        """`payload` is the length of the request in bytes."""
        return {
            "SubmitJob": partial(self._submit, payload=payload),
            "DescribeJobs": self._describe,
            "ListJobs": self._list,
            "TerminateJob": self._terminate,
        }

    def submitted(self) -> tuple[str, ...]:
        return tuple(self._jobs)

    def lose(self, job_id: str) -> bool:
        found = self._find(job_id)
        return isinstance(found, Unit) and self._runner.lose(found)

    def _submit(self, body: Body, *, payload: int) -> Body:
        plan, size = read_submission(body, payload, self._resources)
        job = Job(plan, size, self._options)
        self._jobs[job.id] = job
        for unit in job.units:
            self._runner.add(unit)
        self._runner.fill()
        return {"jobArn": self._options.arn(f"job/{job.id}"), "jobName": plan.name, "jobId": job.id}

    def _describe(self, body: Body) -> Body:
        ids: Sequence[str] = body["jobs"]
        if len(ids) > _IDS_AT_ONCE:
            raise client_error("Only up to 100 jobs can be described at a time.")
        found = [self._find(job_id.rpartition("/")[2]) for job_id in ids]
        return {"jobs": [job.told() for job in found if job is not None]}

    def _list(self, body: Body) -> Body:
        status = Status(body.get("jobStatus", Status.RUNNING))
        summaries = [_summary(job) for job in self._listed(body) if job.status is status]
        start, limit = int(body.get("nextToken") or 0), min(int(body.get("maxResults", _PAGE)), _PAGE)
        page: dict[str, Any] = {"jobSummaryList": summaries[start : start + limit]}
        if start + limit < len(summaries):
            page["nextToken"] = str(start + limit)
        return page

    def _listed(self, body: Body) -> Sequence[Job | Unit]:
        if bool(body.get("jobQueue")) == bool(body.get("arrayJobId")):
            raise client_error("One of jobQueue and arrayJobId is required.")
        if parent := body.get("arrayJobId"):
            job = self._jobs.get(parent)
            return job.units if job and job.size else ()
        queue = self._resources.queue(str(body["jobQueue"]))
        return [job for job in self._jobs.values() if job.plan.queue is queue]

    def _terminate(self, body: Body) -> Body:
        if not body.get("reason"):
            raise client_error("reason is required.")
        found = self._find(str(body["jobId"]))
        if found is None:
            raise client_error(f"Job {body['jobId']} does not exist.")
        for unit in found.units if isinstance(found, Job) else [found]:
            self._runner.terminate(unit, str(body["reason"]))
        self._runner.fill()
        return {}

    def _find(self, job_id: str) -> Job | Unit | None:
        """A parent, or what has a process."""
        job = self._jobs.get(job_id.partition(":")[0])
        if job is None or (job.size and job_id == job.id):
            return job
        return job.unit(job_id)


def _summary(job: Job | Unit) -> dict[str, Any]:
    if isinstance(job, Unit):
        return job.summary()
    if job.size is None:
        return job.units[0].summary()
    told = job.told()
    kept = ("jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "jobDefinition", "startedAt")
    return {**{name: told[name] for name in kept if name in told}, "arrayProperties": {"size": job.size}}
