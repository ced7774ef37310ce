"""What has been done in a repository, as the run's result: green only with evidence."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from cody_jobs.models import (
    Failure,
    FailureCode,
    FileCounts,
    Job,
    RunFailed,
    RunOutcome,
    RunResult,
    RunSucceeded,
)
from cody_jobs.outcomes import GaveUp
from cody_jobs.steps import Judge
from cody_jobs.verdicts import NoVerdict, Verdict
from cody_worker.edit_files import EditedFiles
from cody_worker.git.scope import Scope
from cody_worker.verify_changes import Checked

NO_PUBLISHER = "a patch instead of a pull request: this system has no publisher"
_NAMED_FILES = 3


class RunWork(Struct, frozen=True, kw_only=True):
    """`codemods` says what the codemods did, if there are any; `changed` whether anything differs from the base."""

    codemods: str | None
    edited: EditedFiles
    checked: Checked
    changed: bool
    verdict: Verdict | NoVerdict | None


def result_of(job: Job, work: RunWork) -> RunResult:
    counts = work.edited.counts
    if work.edited.failed:
        return RunFailed(failure=_files_failed(work.edited.failed, counts), files=counts)
    if work.checked.failure is not None:
        return RunFailed(failure=work.checked.failure, files=counts)
    if not work.changed:
        return RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason=_why_nothing(work), files=counts)
    if job.spec.judge is Judge.DECIDES and not (isinstance(work.verdict, Verdict) and work.verdict.meets):
        return RunFailed(failure=_not_accepted(work.verdict), files=counts)
    reason = NO_PUBLISHER if job.spec.create_pull_requests else None
    return RunSucceeded(outcome=RunOutcome.PATCH, reason=reason, files=counts)


def nothing_to_do(scope: Scope) -> RunSucceeded:
    counts = scope.counts
    if scope.left_alone is not None:
        return RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason=scope.left_alone, files=counts)
    skipped = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.skipped.items()))
    reason = f"no candidate among {counts.examined} files" + (f" (skipped: {skipped})" if skipped else "")
    return RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason=reason, files=counts)


def _why_nothing(work: RunWork) -> str:
    counts = work.edited.counts
    said = [] if work.codemods is None else [work.codemods]
    if counts.edited:
        said.append("all edits together change nothing")
    elif work.edited.reported:
        found = f"{work.edited.findings} findings in {work.edited.reported} files"
        said.append(f"{found}; most often: {work.edited.main_reason}" if work.edited.main_reason else found)
    elif counts.candidates:
        said.append(f"Claude left all {counts.candidates} candidate files unchanged: {work.edited.main_reason}")
    return "; ".join(said)


def _not_accepted(verdict: Verdict | NoVerdict | None) -> Failure:
    if isinstance(verdict, Verdict):
        return _rejected(verdict)
    why = "nobody was asked" if verdict is None else verdict.reason
    message = f"the judge decides, and gave no verdict: {why}"
    return Failure(code=FailureCode.JUDGE_FAILED, message=message, retryable=True)


def _rejected(verdict: Verdict) -> Failure:
    doubts = "".join(f"\n{doubt.path}: {doubt.text}" for doubt in verdict.doubts)
    message = f"the judge found that the diff is not what was asked for: {verdict.reason}{doubts}"
    return Failure(code=FailureCode.JUDGE_REJECTED, message=message, retryable=True)


def _files_failed(failed: Mapping[str, GaveUp], counts: FileCounts) -> Failure:
    codes = Counter(outcome.failure.code for outcome in failed.values())
    if set(codes) == {FailureCode.COST_CAP_REACHED}:
        return next(iter(failed.values())).failure
    summary = ", ".join(f"{code} {number}" for code, number in codes.most_common())
    first = ", ".join(sorted(failed)[:_NAMED_FILES]) + (", …" if len(failed) > _NAMED_FILES else "")
    rest = f"; the diff holds the {counts.edited} files that were changed" if counts.edited else ""
    message = f"{len(failed)} of {counts.candidates} candidate files failed: {summary} ({first}){rest}"
    return Failure(code=FailureCode.FILES_FAILED, message=message, retryable=True)
