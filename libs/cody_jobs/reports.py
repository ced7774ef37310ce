"""What is found out about one repository on the way: it explains the result, and is no result itself."""

from collections.abc import Mapping

from msgspec import Struct

from cody_jobs.estimates import RepositoryEstimate
from cody_jobs.verdicts import Verdict

REMAINING_SHOWN = 200
"""At most so many lines are kept of what still matches."""


class RemainingLine(Struct, frozen=True, kw_only=True, rename="camel"):
    """A line (the first is 1) of the result that the plan's completion query still matches; `text` may be cut."""

    path: str
    line: int
    text: str


class Remaining(Struct, frozen=True, kw_only=True, rename="camel"):
    """`total` counts all lines, also those that `lines` leaves out."""

    total: int = 0
    lines: tuple[RemainingLine, ...] = ()


class CheckResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """One command of the job in its sandbox, `on_base` before any change. `exit_code` is None where a limit ended it;
    `reason` says how it ended; `truncated`: a part of the output is missing."""

    argv: tuple[str, ...]
    on_base: bool
    exit_code: int | None
    reason: str
    seconds: float
    output: str
    truncated: bool


class Facts(Struct, frozen=True, kw_only=True, rename="camel"):
    """About the candidates: how many, how many of each language (by file name), their bytes, and the plan's matches."""

    candidates: int = 0
    languages: Mapping[str, int] = {}
    bytes: int = 0
    matches: int = 0


class RunReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """`remaining` is None where the plan has no completion query, or no file was a candidate; only a dry run has an
    `estimate`."""

    remaining: Remaining | None = None
    checks: tuple[CheckResult, ...] = ()
    verdict: Verdict | None = None
    facts: Facts | None = None
    estimate: RepositoryEstimate | None = None


class RepositoryReport(Struct, frozen=True, kw_only=True, rename="camel"):
    repository: str
    report: RunReport
