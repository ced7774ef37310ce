"""Verify what was edited; what a command finds goes back to Claude, for the files that it names."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from cody_jobs.models import Failure, FailureCode
from cody_jobs.reports import CheckResult
from cody_worker.commands.verify import Finding, Verifier, VerifyFailed
from cody_worker.job_commands import check_results

MOST_FILES = 10
"""What names more files than that at once is no mistake of single files."""

Correct = Callable[[Mapping[str, str]], Awaitable[int]]
"""Ask about these files again, with a note each; how many of them were changed."""


class Checked(Struct, frozen=True, kw_only=True):
    """`checks` are those on the base commit, then those of the last round. `rounds` counts how often Claude was asked
    to correct something."""

    checks: tuple[CheckResult, ...] = ()
    failure: Failure | None = None
    rounds: int = 0


async def verify_changes(
    verifier: Verifier, correct: Correct, *, paths: Sequence[str], edited: Sequence[str], rounds: int
) -> Checked:
    """`paths` are all that a finding may name, `edited` those that were changed. Raises what the verifier and `correct`
    raise."""
    before = check_results(await verifier.run_on_base(), on_base=True)
    done = 0
    while True:
        verdict = await verifier.verify(paths)
        checks = (*before, *check_results(verdict.results))
        if not isinstance(verdict, VerifyFailed):
            return Checked(checks=checks, rounds=done)
        notes = _notes(verdict.findings, edited)
        if done == rounds or not notes or not await correct(notes):
            return Checked(checks=checks, failure=_failure(verdict.findings, done), rounds=done)
        done += 1


def _notes(findings: Sequence[Finding], edited: Sequence[str]) -> dict[str, str]:
    """By path. A finding that names none is about the files that were edited, if these are few."""
    notes: dict[str, str] = {}
    for finding in findings:
        files = finding.files[:MOST_FILES] or (edited if len(edited) <= MOST_FILES else ())
        for path in files:
            notes[path] = f"{notes[path]}\n{finding.message}" if path in notes else finding.message
    return notes


def _failure(findings: Sequence[Finding], rounds: int) -> Failure:
    again = f", after {rounds} corrections" if rounds else ""
    message = f"the result does not pass{again}: " + "\n".join(finding.message for finding in findings)
    return Failure(code=FailureCode.VERIFY_FAILED, message=message, retryable=True)
