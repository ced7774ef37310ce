"""The state of many pull requests at once: a hundred in one GraphQL request."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from cody_hosts.github.credentials import Target
from cody_hosts.github.graphql import Graph
from cody_jobs.ports.pull_requests import Checks, Conflicts, PullName, PullState, PullView, Review

_AT_ONCE = 100
_FIELDS = """id number url state isDraft headRefName headRefOid baseRefName mergeable mergeStateStatus reviewDecision
mergedAt closedAt mergeCommit { oid } autoMergeRequest { enabledAt } labels(first: 50) { nodes { name } }
commits(last: 1) { nodes { commit { statusCheckRollup { state } } } }"""


class _Oid(Struct, frozen=True):
    oid: str


class _Label(Struct, frozen=True):
    name: str


class _Labels(Struct, frozen=True):
    nodes: tuple[_Label | None, ...] | None = ()


class _Rollup(Struct, frozen=True):
    state: str


class _Commit(Struct, frozen=True, rename="camel"):
    status_check_rollup: _Rollup | None = None


class _CommitNode(Struct, frozen=True):
    commit: _Commit


class _Commits(Struct, frozen=True):
    nodes: tuple[_CommitNode | None, ...] | None = ()


class _Pull(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    number: int
    url: str
    state: str
    is_draft: bool
    head_ref_name: str
    head_ref_oid: str
    base_ref_name: str
    mergeable: str = "UNKNOWN"
    merge_state_status: str | None = None
    review_decision: str | None = None
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    merge_commit: _Oid | None = None
    auto_merge_request: Mapping[str, msgspec.Raw] | None = None
    labels: _Labels | None = None
    commits: _Commits = _Commits()


class _Repository(Struct, frozen=True, kw_only=True, rename="camel"):
    pull_request: _Pull | None = None


class PullViews:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    async def view(self, names: Sequence[PullName]) -> dict[PullName, PullView]:
        """Those that are there and may be seen. Raises `Unavailable`, or `JobFailed` where nothing is answered."""
        found = dict[PullName, PullView]()
        for group in _groups(names):
            found |= await self._view(group)
        return found

    async def _view(self, names: Sequence[PullName]) -> dict[PullName, PullView]:
        text, variables = _query(names)
        answer = await self._graph.query(
            dict[str, _Repository | None],
            text,
            variables,
            what=f"look at {len(names)} pull requests",
            target=Target(owner=names[0].repository.partition("/")[0]),
        )
        views = dict[PullName, PullView]()
        for place, name in enumerate(names):
            repository = answer.get(f"p{place}")
            if repository is not None and repository.pull_request is not None:
                views[name] = _view_of(name, repository.pull_request)
        return views


def _groups(names: Sequence[PullName]) -> list[Sequence[PullName]]:
    """By owner, as the token of an App's installation is for one."""
    owners = dict[str, list[PullName]]()
    for name in dict.fromkeys(names):
        owners.setdefault(name.repository.partition("/")[0].lower(), []).append(name)
    return [group[at : at + _AT_ONCE] for group in owners.values() for at in range(0, len(group), _AT_ONCE)]


def _query(names: Sequence[PullName]) -> tuple[str, dict[str, object]]:
    variables, declared, parts = dict[str, object](), list[str](), list[str]()
    for place, name in enumerate(names):
        owner, _, repository = name.repository.partition("/")
        variables |= {f"o{place}": owner, f"r{place}": repository, f"n{place}": name.number}
        declared.append(f"$o{place}: String!, $r{place}: String!, $n{place}: Int!")
        parts.append(
            f"p{place}: repository(owner: $o{place}, name: $r{place}) "
            f"{{ pullRequest(number: $n{place}) {{ ...view }} }}"
        )
    text = f"query({', '.join(declared)}) {{ {' '.join(parts)} }} fragment view on PullRequest {{ {_FIELDS} }}"
    return text, variables


def _view_of(name: PullName, pull: _Pull) -> PullView:
    return PullView(
        name=name,
        id=pull.id,
        url=pull.url,
        state=PullState(pull.state.lower()),
        draft=pull.is_draft,
        head_branch=pull.head_ref_name,
        head_commit=pull.head_ref_oid,
        base=pull.base_ref_name,
        conflicts={"MERGEABLE": Conflicts.NONE, "CONFLICTING": Conflicts.SOME}.get(pull.mergeable, Conflicts.UNKNOWN),
        checks=_checks(pull),
        review=_review(pull.review_decision),
        behind=pull.merge_state_status == "BEHIND",
        auto_merge=pull.auto_merge_request is not None,
        labels=tuple(label.name for label in (pull.labels.nodes if pull.labels else ()) or () if label),
        merged_at=pull.merged_at,
        closed_at=pull.closed_at,
        merge_commit=pull.merge_commit.oid if pull.merge_commit else None,
    )


def _checks(pull: _Pull) -> Checks:
    for node in pull.commits.nodes or ():
        if node is not None and node.commit.status_check_rollup is not None:
            return _STATES.get(node.commit.status_check_rollup.state, Checks.PENDING)
    return Checks.NONE


def _review(decision: str | None) -> Review:
    if decision is None:
        return Review.NONE
    return _REVIEWS.get(decision, Review.NONE)


_STATES = {
    "SUCCESS": Checks.PASSED,
    "FAILURE": Checks.FAILED,
    "ERROR": Checks.FAILED,
    "PENDING": Checks.PENDING,
    "EXPECTED": Checks.PENDING,
}
_REVIEWS = {
    "APPROVED": Review.APPROVED,
    "CHANGES_REQUESTED": Review.CHANGES_REQUESTED,
    "REVIEW_REQUIRED": Review.REQUIRED,
}
