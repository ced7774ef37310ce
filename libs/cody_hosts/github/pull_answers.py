"""What of GitHub's pull requests we need, and what it means."""

from msgspec import Struct

from cody_jobs.ports.pull_requests import Head, Pull, PullName, PullState


class Owner(Struct, frozen=True, kw_only=True):
    login: str


class _Repository(Struct, frozen=True, kw_only=True):
    full_name: str


class _End(Struct, frozen=True, kw_only=True):
    """`user` and `repo` are null where the fork is gone."""

    ref: str
    sha: str
    user: Owner | None = None
    repo: _Repository | None = None


class PullAnswer(Struct, frozen=True, kw_only=True):
    """`merged` is in single answers alone, `merged_at` in lists, too."""

    number: int
    node_id: str
    html_url: str
    state: str
    title: str
    head: _End
    base: _End
    draft: bool | None = None
    body: str | None = None
    user: Owner | None = None
    merged_at: str | None = None


def pull_of(answer: PullAnswer, repository: str) -> Pull:
    return Pull(
        name=PullName(repository=repository, number=answer.number),
        id=answer.node_id,
        url=answer.html_url,
        state=_state(answer),
        draft=bool(answer.draft),
        title=answer.title,
        body=answer.body or "",
        head=Head(owner=answer.head.user.login if answer.head.user else "", branch=answer.head.ref),
        head_repository=answer.head.repo.full_name if answer.head.repo else None,
        head_commit=answer.head.sha,
        base=answer.base.ref,
        author=answer.user.login if answer.user else None,
    )


def _state(answer: PullAnswer) -> PullState:
    if answer.merged_at is not None:
        return PullState.MERGED
    return PullState.CLOSED if answer.state == "closed" else PullState.OPEN
