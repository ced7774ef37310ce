"""A sample is shown, tuned and approved; ended repositories run again by what became of them."""

from typing import Any

import httpx
import pytest

from cody_backends.open_backends import Backends
from cody_jobs.events import JobApproved, JobCreated, JobRetried
from cody_jobs.messages import JOBS_QUEUE
from cody_jobs.models import Failure, FailureCode, FileCounts, RunFailed, RunOutcome, RunResult, SampledRepository
from tests.unit.cody_api.stories import dispatch, finish, submit, succeeded

FAILED = RunFailed(
    failure=Failure(code=FailureCode.SYNTAX_BROKEN, message="line 3 of a.py", retryable=True), files=FileCounts()
)
PATCH = succeeded(RunOutcome.PATCH)


async def sampled(client: httpx.AsyncClient, backends: Backends, **results: RunResult) -> str:
    """A job that awaits approval, whose sample ended so; acme/rest is left."""
    chosen = [f"acme/{name}" for name in results]
    job_id = await submit(client, *chosen, "acme/rest", sample=len(results))
    await dispatch(backends, job_id)
    sample = [SampledRepository(repository=name, why="large") for name in chosen]
    await backends.jobs.record_sample(job_id, sample)
    for name, result in results.items():
        await finish(backends, job_id, f"acme/{name}", result)
    await backends.jobs.recover_shard(job_id, 1, 0, failure=None)
    assert (await backends.jobs.end_shard(job_id, 1, 0)).awaits_approval_now
    return job_id


async def events(backends: Backends, job_id: str) -> list[Any]:
    return [event.body for event in await backends.results.read_events(job_id, after=0, limit=100)]


async def test_a_job_shows_its_sample(client: httpx.AsyncClient, backends: Backends) -> None:
    plain = (await client.get(f"/jobs/{await submit(client)}")).json()
    job = (await client.get(f"/jobs/{await sampled(client, backends, web=PATCH)}")).json()
    assert (plain["sample"], plain["formerPrompts"]) == (None, [])
    assert job["status"] == "AWAITING_APPROVAL"
    assert job["sample"] == {"size": 1, "approved": False, "chosen": [{"repository": "acme/web", "why": "large"}]}


async def test_an_approval_goes_on_with_the_rest_and_is_told_once(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await sampled(client, backends, web=PATCH, api=FAILED)
    answers = [await client.post(f"/jobs/{job_id}/approve", json={"prompt": "better"}) for _ in range(2)]
    job = answers[1].json()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (job["status"], job["prompt"], job["sample"]["approved"]) == ("PENDING", "better", True)
    assert [former["prompt"] for former in job["formerPrompts"]] == ["do it"]
    assert (job["counts"]["queued"], job["counts"]["succeeded"]) == (2, 1)
    assert await events(backends, job_id) == [JobCreated(repositories=3), JobApproved(prompt_amended=True, runs=1)]
    assert (await backends.queue.depth(JOBS_QUEUE)).ready == 3
    other = await client.post(f"/jobs/{job_id}/approve")
    assert (other.status_code, other.json()["code"]) == (409, "illegal_transition")


async def test_an_approval_without_a_body_is_one(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await sampled(client, backends, web=PATCH)
    answer = await client.post(f"/jobs/{job_id}/approve")
    assert (answer.status_code, answer.json()["status"], answer.json()["prompt"]) == (202, "PENDING", "do it")


async def test_a_sample_is_tuned_with_another_prompt(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await sampled(client, backends, web=PATCH, api=FAILED)
    answer = await client.post(f"/jobs/{job_id}/retry", json={"prompt": "better"})
    assert (answer.status_code, answer.json()["requeued"], answer.json()["prompt"]) == (202, 2, "better")
    assert (await events(backends, job_id))[-1] == JobRetried(runs=2, prompt_amended=True)


async def test_a_retry_takes_codes_outcomes_and_globs(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client, "acme/a", "acme/b", "acme/c")
    await dispatch(backends, job_id)
    for name, result in {"a": FAILED, "b": PATCH, "c": succeeded(RunOutcome.NO_CHANGES, "fine")}.items():
        await finish(backends, job_id, f"acme/{name}", result)
    await backends.jobs.end_shard(job_id, 1, 0)
    nothing = await client.post(f"/jobs/{job_id}/retry", json={"codes": ["guard_hit"]})
    answer = await client.post(f"/jobs/{job_id}/retry", json={"outcomes": ["no_changes"], "repositories": ["ACME/*"]})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "illegal_transition")
    assert "filter" in nothing.json()["detail"]
    assert (answer.status_code, answer.json()["requeued"]) == (202, 1)
    assert (await client.get(f"/jobs/{job_id}/repositories/acme/c")).json()["status"] == "QUEUED"


@pytest.mark.parametrize(
    ("path", "body", "field", "code"),
    [
        ("approve", {"prompt": " "}, "prompt", "empty_prompt"),
        ("approve", {"again": 1}, "again", "wrong_type"),
        ("approve", {"agian": True}, "agian", "unknown_field"),
        ("retry", {"codes": ["files_failed", "x"]}, "codes[1]", "unknown_value"),
        ("retry", {"outcomes": ["succeeded"]}, "outcomes[0]", "unknown_value"),
        ("retry", {"repositories": ["a b"]}, "repositories[0]", "bad_pattern"),
        ("retry", {"repositories": ["x"] * 101}, "repositories", "too_many_patterns"),
        ("retry", {"prompt": "a\0"}, "prompt", "nul_character"),
    ],
)
async def test_bodies_are_checked_field_by_field(
    bare_client: httpx.AsyncClient, path: str, body: dict[str, object], field: str, code: str
) -> None:
    answer = await bare_client.post(f"/jobs/job-1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]


async def test_a_body_is_json_or_nothing(bare_client: httpx.AsyncClient) -> None:
    form = await bare_client.post("/jobs/job-1/approve", data={"prompt": "x"})
    broken = await bare_client.post("/jobs/job-1/retry", content=b"{", headers={"Content-Type": "application/json"})
    assert (form.status_code, broken.status_code) == (415, 400)


@pytest.mark.parametrize("sample", [0, 101, -1])
async def test_a_sample_is_1_to_100(bare_client: httpx.AsyncClient, sample: int) -> None:
    body = {"name": "n", "type": "code-pattern-update", "prompt": "p", "repositories": ["acme/web"], "sample": sample}
    answer = await bare_client.post("/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_sample")
