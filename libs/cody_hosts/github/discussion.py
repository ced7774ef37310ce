"""What is said and set around a pull request: comments, labels, people, a milestone."""

from urllib.parse import quote

from msgspec import Struct

from cody_hosts.github.api import Api, Request
from cody_hosts.github.credentials import Access, target_of
from cody_hosts.github.governor import Kind
from cody_hosts.github.repositories import repo_url
from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.ports.pull_requests import PullName, Touches

_COMMENTS_MOST = 1_000
_MILESTONES_MOST = 500


class Comment(Struct, frozen=True, kw_only=True):
    id: int
    body: str | None = None


class _Milestone(Struct, frozen=True, kw_only=True):
    number: int
    title: str


class Discussion:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def say(self, name: PullName, text: str, *, marker: str) -> None:
        """A comment that begins with the marker: it is changed where there is one already.

        Raises `PerhapsDone`; to say it again finds what was said.
        """
        body = f"{marker}\n{text}"
        found = await self._own_comment(name, marker)
        if found is None:
            await self.add_comment(name, body)
        elif found.body != body:
            url = f"{repo_url(name.repository)}/issues/comments/{found.id}"
            what = f"change a comment on {name}"
            await self._api.send(_change(name, what=what, method="PATCH", url=url, body={"body": body}))

    async def add_comment(self, name: PullName, text: str) -> None:
        """Raises `PerhapsDone`; to find it again it needs a marker, as in `say`."""
        what, url = f"comment on {name}", f"{_issue_url(name)}/comments"
        await self._api.send(_change(name, what=what, method="POST", url=url, body={"body": text}))

    async def touch(self, name: PullName, touches: Touches) -> None:
        """Add what is asked for; all of it may be done twice."""
        if touches.labels:
            await self._add(name, f"{_issue_url(name)}/labels", {"labels": touches.labels}, "labels")
        if touches.assignees:
            await self._add(name, f"{_issue_url(name)}/assignees", {"assignees": touches.assignees}, "assignees")
        if touches.reviewers or touches.teams:
            wanted = {"reviewers": touches.reviewers, "team_reviewers": touches.teams}
            url = f"{repo_url(name.repository)}/pulls/{name.number}/requested_reviewers"
            await self._add(name, url, wanted, "reviewers")
        if touches.milestone:
            number = await self.milestone(name.repository, touches.milestone)
            what = f"set the milestone of {name}"
            body = {"milestone": number}
            await self._api.send(_change(name, what=what, method="PATCH", url=_issue_url(name), body=body))

    async def drop_label(self, name: PullName, label: str) -> None:
        """A label that is not there is no error."""
        what, url = f"remove a label from {name}", f"{_issue_url(name)}/labels/{quote(label, safe='')}"
        try:
            await self._api.send(_change(name, what=what, method="DELETE", url=url))
        except JobFailed as error:
            if error.code != FailureCode.REPOSITORY_NOT_FOUND:
                raise

    async def _own_comment(self, name: PullName, marker: str) -> Comment | None:
        request = Request(
            what=f"read the comments of {name}",
            url=f"{_issue_url(name)}/comments",
            target=target_of(name.repository),
        )
        comments, _ = await self._api.fetch_all(Comment, request, most=_COMMENTS_MOST)
        # At its beginning: whoever quotes ours has it elsewhere.
        return next((comment for comment in comments if (comment.body or "").startswith(marker)), None)

    async def _add(self, name: PullName, url: str, body: object, things: str) -> None:
        what = f"add {things} to {name}"
        await self._api.send(_change(name, what=what, method="POST", url=url, body=body, repeatable=True))

    async def milestone(self, repository: str, title: str) -> int:
        """The number of an open milestone. Raises `JobFailed` where there is none."""
        request = Request(
            what=f"read the milestones of {repository}",
            url=f"{repo_url(repository)}/milestones",
            target=target_of(repository),
            params={"state": "open"},
        )
        milestones, _ = await self._api.fetch_all(_Milestone, request, most=_MILESTONES_MOST)
        for milestone in milestones:
            if milestone.title == title:
                return milestone.number
        raise JobFailed(FailureCode.CODE_HOST_REFUSED, f"{repository} has no open milestone {title!r}")


def _issue_url(name: PullName) -> str:
    return f"{repo_url(name.repository)}/issues/{name.number}"


def _change(
    name: PullName, *, what: str, method: str, url: str, body: object = None, repeatable: bool | None = None
) -> Request:
    return Request(
        what=what,
        url=url,
        method=method,
        target=target_of(name.repository),
        access=Access.WRITE,
        body=body,
        kind=Kind.CHANGE,
        repeatable=repeatable,
    )
