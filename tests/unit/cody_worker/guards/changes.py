"""Shorthand for changes and what the guards find in them."""

from cody_jobs.models import JobType
from cody_worker.guards import Change, Finding, GuardName, GuardRules, check_change


def findings(
    path: str,
    before: str | bytes | None,
    after: str | bytes | None,
    *,
    rules: GuardRules | None = None,
    modes: tuple[int | None, int | None] = (0o100644, 0o100644),
) -> list[Finding]:
    change = Change(path=path, before=_bytes(before), after=_bytes(after), mode_before=modes[0], mode_after=modes[1])
    return check_change(change, rules or rules_of())


def found(
    guard: GuardName, path: str, before: str | bytes | None, after: str | bytes | None, rules: GuardRules | None = None
) -> list[Finding]:
    """What this one guard finds."""
    return [finding for finding in findings(path, before, after, rules=rules) if finding.guard is guard]


def rules_of(prompt: str = "Replace foo by bar.", job_type: JobType = JobType.CODE_PATTERN_UPDATE) -> GuardRules:
    return GuardRules(job_type=job_type, prompt=prompt)


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
