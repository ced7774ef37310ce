"""The commits and files of a pull request."""

from collections.abc import Sequence
from typing import Any

from cody_stand_ins.github.call import Call, Route, listed, ok
from cody_stand_ins.github.commit_shape import commit_shape
from cody_stand_ins.github.merging import Change, changes_between, commits_between
from cody_stand_ins.github.request import Answer


def list_commits(call: Call) -> Answer:
    repository, pull = call.pull
    page, headers = call.request.page(commits_between(repository.path, pull.base_sha, pull.head_sha))
    return ok([commit_shape(call.world, repository, sha) for sha in page], headers=headers)


def list_files(call: Call) -> Answer:
    repository, pull = call.pull
    changes = changes_between(repository.path, pull.base_sha, pull.head_sha)
    api = f"{call.world.links.api}/repos/{repository.full_name}"
    html = f"{call.world.links.html}/{repository.full_name}"
    return listed(call, [_shape(change, api, html, pull.head_sha) for change in changes])


def _shape(change: Change, api: str, html: str, head: str) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "sha": change.blob,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{html}/blob/{head}/{change.path}",
        "raw_url": f"{html}/raw/{head}/{change.path}",
        "contents_url": f"{api}/contents/{change.path}?ref={head}",
    }
    if change.patch:
        shape["patch"] = change.patch
    if change.status == "renamed":
        shape["previous_filename"] = change.old_path
    return shape


ROUTES: Sequence[Route] = (
    Route("GET", "/repos/{owner}/{repo}/pulls/{number}/commits", list_commits),
    Route("GET", "/repos/{owner}/{repo}/pulls/{number}/files", list_files),
)
