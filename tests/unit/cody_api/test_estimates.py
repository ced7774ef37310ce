"""What a dry run says: of each repository, and of all of them together."""

import httpx

from cody_backends.open_backends import Backends
from cody_jobs.estimates import Range, RepositoryEstimate
from cody_jobs.models import RunOutcome
from cody_jobs.reports import RunReport
from tests.unit.cody_api.stories import dispatch, finish, submit, succeeded

REASON = "would ask about 2 of 3 files in 2 requests, about $0.02 (0.01 to 0.04)"


def estimate_of(repository: str) -> RepositoryEstimate:
    return RepositoryEstimate(
        repository=repository,
        model="claude-sonnet-5-5",
        candidates=2,
        known=1,
        matches=3,
        counted=True,
        calls=Range(low=1, expected=2, high=4),
        input_tokens=Range(low=10, expected=20, high=40),
        output_tokens=Range(low=5, expected=6, high=7),
        cost_microusd=Range(low=10_000, expected=20_000, high=40_000),
        notes=("the codemods were not run",),
    )


async def estimated_job(client: httpx.AsyncClient, backends: Backends) -> str:
    """Of three repositories: two have an estimate, one has no match."""
    job_id = await submit(client, "acme/a", "acme/b", "acme/c", dryRun=True)
    await dispatch(backends, job_id)
    for name in ("acme/a", "acme/b"):
        await backends.results.put_report(job_id, name, RunReport(estimate=estimate_of(name)))
        await finish(backends, job_id, name, succeeded(RunOutcome.ESTIMATED, REASON))
    await finish(backends, job_id, "acme/c", succeeded(RunOutcome.NO_CHANGES, "no candidate among 3 files"))
    return job_id


async def test_a_dry_run_sums_up_what_its_repositories_would_cost(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await estimated_job(client, backends)
    job = (await client.get(f"/jobs/{job_id}")).json()
    assert (job["dryRun"], job["counts"]["estimated"], job["counts"]["noChanges"]) == (True, 2, 1)
    assert job["estimate"] == {
        "model": "claude-sonnet-5-5",
        "repositories": 2,
        "candidates": 4,
        "known": 2,
        "matches": 6,
        "counted": True,
        "calls": {"low": 2, "expected": 4, "high": 8},
        "inputTokens": {"low": 20, "expected": 40, "high": 80},
        "outputTokens": {"low": 10, "expected": 12, "high": 14},
        "costMicrousd": {"low": 20_000, "expected": 40_000, "high": 80_000},
    }


async def test_each_repository_tells_its_own(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await estimated_job(client, backends)
    listed = (await client.get(f"/jobs/{job_id}/repositories")).json()["items"]
    costs = [run["estimate"] and run["estimate"]["costMicrousd"]["expected"] for run in listed]
    assert (costs, listed[0]["reason"]) == ([20_000, 20_000, None], REASON)
    shown = (await client.get(f"/jobs/{job_id}/repositories/acme/a")).json()
    assert shown["report"]["estimate"] == shown["estimate"] == listed[0]["estimate"]
    assert shown["estimate"]["notes"] == ["the codemods were not run"]


async def test_before_anything_is_estimated_the_sum_is_nothing(client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/a", dryRun=True)
    estimate = (await client.get(f"/jobs/{job_id}")).json()["estimate"]
    assert (estimate["model"], estimate["repositories"], estimate["costMicrousd"]["high"]) == (None, 0, 0)


async def test_a_real_job_has_no_estimate(client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/a")
    assert (await client.get(f"/jobs/{job_id}")).json()["estimate"] is None
    assert (await client.get(f"/jobs/{job_id}/repositories")).json()["items"][0]["estimate"] is None
