"""What many repositories of a job have in common: failures that are alike, and diffs that make the same change."""

import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from cody_backends.cursors import read_cursor, write_cursor
from cody_backends.open_backends import Backends
from cody_jobs.diff_groups import DiffFacts
from cody_jobs.failure_groups import normal_message
from cody_jobs.models import Failure, FailureCode, RepositoryRun, RunOutcome, RunStatus

NAMES_SHOWN = 100
_RUNS_AT_ONCE = 1_000

Count = Annotated[int, Meta(description="How many repositories are in the group.")]
Names = Annotated[tuple[str, ...], Meta(description=f"Their names in the order of the job, {NAMES_SHOWN} at most.")]


class FailureExample(Struct, frozen=True, kw_only=True, rename="camel"):
    """One of the failures, as it is."""

    repository: str
    failure: Failure


class FailureGroup(Struct, frozen=True, kw_only=True, rename="camel"):
    """Failed repositories with one code and one message but for paths, numbers, ids and quoted names."""

    id: str
    code: FailureCode
    message: Annotated[str, Meta(description="With … for what differs.")]
    retryable: Annotated[bool, Meta(description="Whether a retry can help any of them.")]
    runs: Count
    repositories: Names
    example: FailureExample


class FailurePage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: tuple[FailureGroup, ...]
    cursor: Annotated[str | None, Meta(description="Send it back for the next page; null on the last one.")]


class DiffExample(Struct, frozen=True, kw_only=True, rename="camel"):
    """The first of the diffs, in numbers; its text is at …/repositories/{owner}/{name}/diff."""

    repository: str
    files_changed: int
    lines_added: int
    lines_removed: int


class DiffGroup(Struct, frozen=True, kw_only=True, rename="camel"):
    """Succeeded repositories whose diffs make the same change."""

    id: str
    runs: Count
    repositories: Names
    example: DiffExample


class DiffGroupPage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: tuple[DiffGroup, ...]
    cursor: Annotated[str | None, Meta(description="Send it back for the next page; null on the last one.")]


class GroupCursor(Struct, frozen=True, kw_only=True, tag="groups", tag_field="of"):
    """The last group shown: the largest ones come first."""

    runs: int
    id: str


G = TypeVar("G", FailureGroup, DiffGroup)


async def group_failures(backends: Backends, job_id: str, *, limit: int, cursor: str | None) -> FailurePage:
    alike: defaultdict[tuple[FailureCode, str], list[tuple[RepositoryRun, Failure]]] = defaultdict(list)
    async for run in _runs(backends, job_id, RunStatus.FAILED):
        if run.failure is not None:
            alike[run.failure.code, normal_message(run.failure.message)].append((run, run.failure))
    groups = [_failure_group(code, message, found) for (code, message), found in alike.items()]
    items, following = _page(groups, limit, cursor)
    return FailurePage(items=tuple(items), cursor=following)


async def group_diffs(backends: Backends, job_id: str, *, limit: int, cursor: str | None) -> DiffGroupPage:
    """Of succeeded runs alone: what a failed one has changed is not all of it."""
    facts: Mapping[str, DiffFacts] = {one.repository: one for one in await backends.results.list_diffs(job_id)}
    alike: defaultdict[str, list[DiffFacts]] = defaultdict(list)
    async for run in _runs(backends, job_id, RunStatus.SUCCEEDED):
        diff = facts.get(run.repository)
        if diff is not None and run.outcome in (RunOutcome.PATCH, RunOutcome.PULL_REQUEST):
            alike[diff.group or _id(run.repository)].append(diff)
    items, following = _page([_diff_group(key, found) for key, found in alike.items()], limit, cursor)
    return DiffGroupPage(items=tuple(items), cursor=following)


async def _runs(backends: Backends, job_id: str, status: RunStatus) -> AsyncGenerator[RepositoryRun]:
    cursor: str | None = None
    while True:
        page = await backends.jobs.list_runs(job_id, status=status, limit=_RUNS_AT_ONCE, cursor=cursor)
        for run in page.items:
            yield run
        cursor = page.cursor
        if cursor is None:
            return


def _failure_group(code: FailureCode, message: str, found: Sequence[tuple[RepositoryRun, Failure]]) -> FailureGroup:
    run, failure = found[0]
    return FailureGroup(
        id=_id(code, message),
        code=code,
        message=message,
        retryable=any(failure.retryable for _, failure in found),
        runs=len(found),
        repositories=tuple(run.repository for run, _ in found[:NAMES_SHOWN]),
        example=FailureExample(repository=run.repository, failure=failure),
    )


def _diff_group(key: str, found: Sequence[DiffFacts]) -> DiffGroup:
    first = found[0]
    return DiffGroup(
        id=key,
        runs=len(found),
        repositories=tuple(diff.repository for diff in found[:NAMES_SHOWN]),
        example=DiffExample(
            repository=first.repository,
            files_changed=first.files_changed,
            lines_added=first.lines_added,
            lines_removed=first.lines_removed,
        ),
    )


def _page(groups: Sequence[G], limit: int, cursor: str | None) -> tuple[list[G], str | None]:
    after = read_cursor(cursor, GroupCursor)
    ordered = sorted(groups, key=lambda group: (-group.runs, group.id))
    left = [group for group in ordered if after is None or (-group.runs, group.id) > (-after.runs, after.id)]
    shown = left[:limit]
    if len(left) <= limit:
        return shown, None
    return shown, write_cursor(GroupCursor(runs=shown[-1].runs, id=shown[-1].id))


def _id(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]
