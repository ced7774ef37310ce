"""Pull requests: found, opened, changed, merged."""

from collections.abc import Mapping

from cody_hosts.github.api import Api, Request
from cody_hosts.github.credentials import Access, target_of
from cody_hosts.github.governor import Kind
from cody_hosts.github.graphql import Graph
from cody_hosts.github.pull_answers import PullAnswer, pull_of
from cody_hosts.github.repositories import repo_url
from cody_jobs.errors import JobFailed
from cody_jobs.ports.pull_requests import Head, MergeMethod, NewPull, Pull, PullName, PullState

_FOUND_MOST = 100
_READY = "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId } }"
_DRAFT = "mutation($id: ID!) { convertPullRequestToDraft(input: {pullRequestId: $id}) { clientMutationId } }"
_AUTO_MERGE = """mutation($id: ID!, $method: PullRequestMergeMethod!, $head: GitObjectID) {
  enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method, expectedHeadOid: $head}) {
    clientMutationId
  }
}"""


class Pulls:
    """Each call may raise `JobFailed` and `Unavailable`; only `open` also `PerhapsDone`: then `find` tells."""

    def __init__(self, api: Api, graph: Graph) -> None:
        self._api = api
        self._graph = graph

    async def find(self, repository: str, head: Head, *, marker: str = "") -> list[Pull]:
        """Open and closed ones from this branch whose text has the marker; the newest first."""
        request = Request(
            what=f"find pull requests of {head.owner}:{head.branch} in {repository}",
            url=f"{repo_url(repository)}/pulls",
            target=target_of(repository),
            params={"head": f"{head.owner}:{head.branch}", "state": "all", "sort": "created", "direction": "desc"},
        )
        answers, _ = await self._api.fetch_all(PullAnswer, request, most=_FOUND_MOST)
        pulls = [pull_of(answer, repository) for answer in answers]
        # GitHub leaves the filter out where it does not understand it.
        return [pull for pull in pulls if pull.head.branch == head.branch and marker in pull.body]

    async def get(self, name: PullName) -> Pull:
        request = Request(what=f"look at {name}", url=pull_url(name), target=target_of(name.repository))
        return pull_of(await self._api.fetch(PullAnswer, request), name.repository)

    async def open(self, new: NewPull) -> Pull:
        body: dict[str, object] = {"title": new.title, "body": new.body, "base": new.base, "draft": new.draft}
        owner = new.repository.partition("/")[0]
        from_fork = new.head.owner.lower() != owner.lower()
        body["head"] = f"{new.head.owner}:{new.head.branch}" if from_fork else new.head.branch
        if from_fork:
            body["maintainer_can_modify"] = True
        request = Request(
            what=f"open a pull request in {new.repository}",
            url=f"{repo_url(new.repository)}/pulls",
            method="POST",
            target=target_of(new.repository),
            access=Access.WRITE,
            body=body,
            kind=Kind.CHANGE,
        )
        return pull_of(await self._api.fetch(PullAnswer, request), new.repository)

    async def change(self, name: PullName, *, title: str | None = None, body: str | None = None) -> Pull:
        wanted = {"title": title, "body": body}
        return await self._patch(name, {key: value for key, value in wanted.items() if value is not None})

    async def close(self, name: PullName) -> Pull:
        return await self._patch(name, {"state": "closed"})

    async def reopen(self, name: PullName) -> Pull:
        return await self._patch(name, {"state": "open"})

    async def set_draft(self, pull: Pull, *, draft: bool) -> None:
        what = f"make {pull.name} {'a draft' if draft else 'ready for review'}"
        target = target_of(pull.name.repository)
        await self._graph.change(_DRAFT if draft else _READY, {"id": pull.id}, what=what, target=target)

    async def merge(self, name: PullName, *, head_commit: str, method: MergeMethod) -> None:
        """Only while `head_commit` is what would be merged."""
        request = self._put(name, "merge", {"sha": head_commit, "merge_method": method}, what=f"merge {name}")
        try:
            await self._api.send(request)
        except JobFailed:
            # The answer to an earlier try may have been lost.
            pull = await self.get(name)
            if pull.state is not PullState.MERGED or pull.head_commit != head_commit:
                raise

    async def update_branch(self, name: PullName, *, head_commit: str) -> None:
        """Merge the base into its branch. GitHub does that after it has answered; a branch that is up to date stays."""
        request = self._put(name, "update-branch", {"expected_head_sha": head_commit}, what=f"update {name}")
        try:
            await self._api.send(request)
        except JobFailed as error:
            if "no new commits on the base" not in error.message:
                raise

    async def enable_auto_merge(self, pull: Pull, *, method: MergeMethod) -> None:
        await self._graph.change(
            _AUTO_MERGE,
            {"id": pull.id, "method": method.upper(), "head": pull.head_commit},
            what=f"let {pull.name} merge itself",
            target=target_of(pull.name.repository),
        )

    async def _patch(self, name: PullName, body: Mapping[str, str]) -> Pull:
        request = Request(
            what=f"change {name}",
            url=pull_url(name),
            method="PATCH",
            target=target_of(name.repository),
            access=Access.WRITE,
            body=body,
            kind=Kind.CHANGE,
        )
        return pull_of(await self._api.fetch(PullAnswer, request), name.repository)

    def _put(self, name: PullName, action: str, body: object, *, what: str) -> Request:
        return Request(
            what=what,
            url=f"{pull_url(name)}/{action}",
            method="PUT",
            target=target_of(name.repository),
            access=Access.WRITE,
            body=body,
            kind=Kind.CHANGE,
        )


def pull_url(name: PullName) -> str:
    return f"{repo_url(name.repository)}/pulls/{name.number}"
