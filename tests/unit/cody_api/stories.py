"""What the tests tell again and again: a job is posted, and workers do something to its runs."""

from datetime import timedelta

import httpx

from cody_backends.open_backends import Backends
from cody_jobs.models import FileCounts, RunOutcome, RunResult, RunSucceeded

LEASE = timedelta(minutes=5)


NOTHING: list[str] = []


def job_body(*repositories: str, **changes: object) -> dict[str, object]:
    names = list(repositories) or ["acme/web", "acme/api"]
    return {"name": "Test Job", "type": "code-pattern-update", "prompt": "do it", "repositories": names, **changes}


async def submit(client: httpx.AsyncClient, *repositories: str, **changes: object) -> str:
    """The id of a new job."""
    answer = await client.post("/jobs", json=job_body(*repositories, **changes))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def dispatch(backends: Backends, job_id: str) -> None:
    assert await backends.jobs.begin_attempt(job_id, repositories_per_shard=8)


async def finish(backends: Backends, job_id: str, repository: str, result: RunResult) -> None:
    """What a worker does at the end of a dispatched run."""
    await backends.jobs.claim_run(job_id, repository, owner="w", lease=LEASE)
    await backends.jobs.finish_run(job_id, repository, owner="w", result=result)


def succeeded(outcome: RunOutcome, reason: str | None = None) -> RunSucceeded:
    return RunSucceeded(outcome=outcome, reason=reason, files=FileCounts(examined=3, candidates=1, edited=1))
