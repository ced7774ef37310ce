"""`show` of a dry run is a table of what each repository would cost, and what they would together."""

import io

import msgspec
from rich.console import Console

from cody_cli.job_report import JobReport, RepositoryReport, print_report
from cody_cli.views import JobView
from tests.unit.cody_cli import samples
from tests.unit.cody_cli.fake_api import FakeApi, as_json
from tests.unit.cody_cli.program import CodyBatch


def estimate(repository: str, **fields: object) -> dict[str, object]:
    return {
        "repository": repository,
        "model": "claude-sonnet-5-5",
        "candidates": 12,
        "known": 3,
        "matches": 40,
        "counted": True,
        "calls": {"low": 9, "expected": 10, "high": 18},
        "inputTokens": {"low": 8000, "expected": 9000, "high": 20000},
        "outputTokens": {"low": 500, "expected": 1000, "high": 9000},
        "costMicrousd": {"low": 50_000, "expected": 80_000, "high": 200_000},
        "notes": ["the codemods were not run: this is about the files as they are"],
        **fields,
    }


NOTHING_WRITTEN = {
    "path": None,
    "seconds": None,
    "costMicrousd": None,
    "patch": None,
    "branch": None,
    "branchError": None,
}
TOTAL = estimate(
    "", repositories=2, candidates=24, costMicrousd={"low": 100_000, "expected": 160_000, "high": 1_400_000}
)
RUNS = [
    samples.run("acme/a", outcome="estimated", estimate=estimate("acme/a")),
    samples.run("acme/b", outcome="estimated", estimate=estimate("acme/b")),
    samples.run("acme/c", outcome="no_changes", reason="no candidate among 9 files", estimate=None),
]


async def test_show_of_a_dry_run_is_what_it_would_cost(client: CodyBatch, api: FakeApi) -> None:
    api.answer("GET /jobs/job-1", as_json(samples.job(dryRun=True, estimate=TOTAL)))
    api.answer("GET /jobs/job-1/repositories", as_json(samples.page(*RUNS)))
    shown = await client.run("show", "job-1")
    assert "acme/a      12     40       3      10     10,000  $0.0500   $0.0800   $0.2000" in shown.out
    assert "no candidate among 9 files" in shown.out
    assert (
        "would ask claude-sonnet-5-5 about 24 files in 2 repositories: about $0.1600 ($0.1000 to $1.40); "
        "tokens are counted for some of them"
    ) in " ".join(shown.out.split())
    assert shown.out.count("the codemods were not run") == 1
    as_it_is = await client.run("show", "job-1", "--json")
    assert as_it_is.json["job"]["estimate"] == TOTAL
    assert as_it_is.json["repositories"] == RUNS


async def test_submit_asks_for_a_dry_run(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(status="PENDING"), 202))
    await client.run("submit", "--prompt", "Do it", "--repository", "acme/web", "--dry-run")
    assert b'"dryRun":true' in api.requests[0].body


def test_the_report_of_run_is_the_same_table() -> None:
    job = msgspec.convert(samples.job(dryRun=True, estimate=TOTAL), JobView)
    repositories = tuple(msgspec.convert({**NOTHING_WRITTEN, **run}, RepositoryReport) for run in RUNS)
    console = Console(width=200, file=io.StringIO(), record=True)
    print_report(JobReport(job=job, repositories=repositories, patches=None), console)
    shown = console.export_text()
    assert "at least  expected  at most" in shown
    assert "acme/b" in shown
    assert "job-1 succeeded, $0.0123" in shown  # what the plan has cost
