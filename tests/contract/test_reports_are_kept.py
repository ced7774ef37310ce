"""What was found out about a run, kept beside its result."""

import pytest
from msgspec.structs import replace

from cody_jobs.errors import ResultNotFound
from cody_jobs.estimates import JobEstimate, Range, RepositoryEstimate
from cody_jobs.ports import ResultStore
from cody_jobs.reports import CheckResult, Facts, Remaining, RemainingLine, RepositoryReport, RunReport
from cody_jobs.verdicts import Verdict
from tests.contract.results import JOB, OTHER_JOB, OTHER_REPOSITORY, REPOSITORY

REPORT = RunReport(
    remaining=Remaining(total=1, lines=(RemainingLine(path="a.py", line=3, text="still \0 here"),)),
    checks=(
        CheckResult(
            argv=("make",), on_base=True, exit_code=None, reason="time_limit", seconds=1.5, output="", truncated=False
        ),
    ),
    verdict=Verdict(meets=False, reason="half of it"),
    facts=Facts(candidates=2, languages={"python": 2}, bytes=10, matches=3),
)
ESTIMATE = RepositoryEstimate(
    repository=REPOSITORY,
    model="claude-sonnet-5-5",
    candidates=2,
    known=1,
    matches=3,
    counted=True,
    calls=Range(low=1, expected=2, high=4),
    input_tokens=Range(low=10, expected=20, high=40),
    output_tokens=Range(low=100, expected=200, high=400),
    cost_microusd=Range(low=3_000_000_000, expected=4_000_000_000, high=5_000_000_000),
    notes=("codemods were not run",),
)
NOTHING_ASKED = RepositoryEstimate(
    repository=OTHER_REPOSITORY,
    model="claude-sonnet-5-5",
    candidates=0,
    known=5,
    matches=0,
    counted=False,
    calls=Range(),
    input_tokens=Range(),
    output_tokens=Range(),
    cost_microusd=Range(),
)


async def test_a_report_is_given_back_as_it_was_put(result_store: ResultStore) -> None:
    with pytest.raises(ResultNotFound):
        await result_store.get_report(JOB, REPOSITORY)
    await result_store.put_report(JOB, REPOSITORY, RunReport())
    await result_store.put_report(JOB, REPOSITORY, REPORT)
    assert await result_store.get_report(JOB, REPOSITORY) == REPORT


async def test_the_reports_of_a_job_come_page_by_page(result_store: ResultStore) -> None:
    for repository in (OTHER_REPOSITORY, REPOSITORY):
        await result_store.put_report(JOB, repository, REPORT)
    await result_store.put_report(OTHER_JOB, REPOSITORY, REPORT)
    first = await result_store.list_reports(JOB, limit=1, cursor=None)
    assert first.items == (RepositoryReport(repository=REPOSITORY, report=REPORT),)
    second = await result_store.list_reports(JOB, limit=1, cursor=first.cursor)
    assert [item.repository for item in second.items] == [OTHER_REPOSITORY]
    assert second.cursor is None


async def test_the_estimates_of_a_dry_run_are_found_and_summed_up(result_store: ResultStore) -> None:
    estimates = {REPOSITORY: ESTIMATE, OTHER_REPOSITORY: NOTHING_ASKED}
    for repository, estimate in estimates.items():
        await result_store.put_report(JOB, repository, replace(REPORT, estimate=estimate))
    await result_store.put_report(JOB, "acme/without", REPORT)
    await result_store.put_report(OTHER_JOB, REPOSITORY, replace(REPORT, estimate=ESTIMATE))

    assert (await result_store.get_report(JOB, REPOSITORY)).estimate == ESTIMATE
    assert await result_store.find_estimates(JOB, [REPOSITORY, OTHER_REPOSITORY, "acme/without"]) == estimates
    assert await result_store.sum_estimates(JOB) == JobEstimate(
        model=ESTIMATE.model,
        repositories=2,
        candidates=2,
        known=6,
        matches=3,
        counted=True,
        calls=ESTIMATE.calls,
        input_tokens=ESTIMATE.input_tokens,
        output_tokens=ESTIMATE.output_tokens,
        cost_microusd=ESTIMATE.cost_microusd,
    )
    assert await result_store.sum_estimates("job-without") == JobEstimate()


async def test_a_sum_is_not_counted_as_soon_as_a_part_of_it_is_not(result_store: ResultStore) -> None:
    for repository, counted in {REPOSITORY: True, OTHER_REPOSITORY: False}.items():
        report = RunReport(estimate=replace(ESTIMATE, repository=repository, counted=counted))
        await result_store.put_report(JOB, repository, report)
    total = await result_store.sum_estimates(JOB)
    assert (total.counted, total.cost_microusd) == (False, ESTIMATE.cost_microusd + ESTIMATE.cost_microusd)


async def test_a_report_without_an_estimate_takes_the_place_of_one_with_it(result_store: ResultStore) -> None:
    await result_store.put_report(JOB, REPOSITORY, replace(REPORT, estimate=ESTIMATE))
    await result_store.put_report(JOB, REPOSITORY, REPORT)
    assert await result_store.find_estimates(JOB, [REPOSITORY]) == {}
    assert await result_store.sum_estimates(JOB) == JobEstimate()


async def test_the_reports_of_a_forgotten_job_are_gone(result_store: ResultStore) -> None:
    await result_store.put_report(JOB, REPOSITORY, REPORT)
    await result_store.forget_jobs([JOB])
    assert await result_store.list_job_ids(after=None, limit=10) == []
