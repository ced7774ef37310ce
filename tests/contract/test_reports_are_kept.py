"""What was found out about a run, kept beside its result."""

import pytest

from cody_jobs.errors import ResultNotFound
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


async def test_the_reports_of_a_forgotten_job_are_gone(result_store: ResultStore) -> None:
    await result_store.put_report(JOB, REPOSITORY, REPORT)
    await result_store.forget_jobs([JOB])
    assert await result_store.list_job_ids(after=None, limit=10) == []
