"""The git database: blobs, trees, commits and refs, really made. A commit of an App comes out verified."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pygit2

from cody_stand_ins.github import bare
from cody_stand_ins.github.bare import Author, opened
from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.commit_shape import git_commit_shape
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.merging import contains, make_commit
from cody_stand_ins.github.pushes import NOTHING, branch_moved
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.refusal import Refusal, invalid, not_found
from cody_stand_ins.github.repositories import ref_shape
from cody_stand_ins.github.request import Answer

_MODES = {"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}


def make_blob(call: Call) -> Answer:
    repository, body = call.repository, call.request.json()
    call.may(repository, "contents", Level.WRITE)
    content = str(body.get("content", ""))
    try:
        data = base64.b64decode(content) if body.get("encoding") == "base64" else content.encode()
    except binascii.Error as error:
        raise Refusal(422, "content is not valid Base64") from error
    with opened(repository.path) as found:
        sha = str(found.create_blob(data))
    return ok({"sha": sha, "url": _url(call, repository, f"blobs/{sha}")}, status=201)


def make_tree(call: Call) -> Answer:
    repository, body = call.repository, call.request.json()
    call.may(repository, "contents", Level.WRITE)
    entries: list[Mapping[str, Any]] = body.get("tree", [])
    _require_workflows(call, entries)
    with opened(repository.path) as found:
        index = pygit2.Index()
        if body.get("base_tree"):
            index.read_tree(_object(found, body["base_tree"]).peel(pygit2.Tree))
        for entry in entries:
            _put(found, index, entry)
        tree = index.write_tree(found)
        shapes = [_entry_shape(call, repository, entry) for entry in found[tree].peel(pygit2.Tree)]
    url = _url(call, repository, f"trees/{tree}")
    return ok({"sha": str(tree), "url": url, "truncated": False, "tree": shapes}, status=201)


def make_git_commit(call: Call) -> Answer:
    repository, body = call.repository, call.request.json()
    call.may(repository, "contents", Level.WRITE)
    with opened(repository.path) as found:
        tree = str(_object(found, str(body.get("tree", ""))).peel(pygit2.Tree).id)
        parents = [str(_object(found, parent).peel(pygit2.Commit).id) for parent in body.get("parents", [])]
    author = _author(call, body.get("author"))
    sha = make_commit(repository.path, tree, parents, str(body.get("message", "")), author)
    # GitHub signs for an App's token alone, and only where it names no author of its own.
    if call.asker.installation is not None and "author" not in body and "committer" not in body:
        repository.verified.add(sha)
    return ok(git_commit_shape(call.world, repository, sha), status=201)


def get_git_commit(call: Call) -> Answer:
    repository = call.repository
    call.may(repository, "contents", Level.READ)
    sha = bare.commit_named(repository.path, call.where["sha"])
    if sha is None:
        raise not_found()
    return ok(git_commit_shape(call.world, repository, sha))


def make_ref(call: Call) -> Answer:
    repository, body = call.repository, call.request.json()
    call.may(repository, "contents", Level.WRITE)
    ref, sha = str(body.get("ref", "")), str(body.get("sha", ""))
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise Refusal(422, "Reference name must start with 'refs/' and have at least two slashes")
    if bare.ref_target(repository.path, ref) is not None:
        raise Refusal(422, "Reference already exists")
    _require_commit(repository, sha)
    _move(call, repository, ref, None, sha)
    return ok(ref_shape(call, repository, ref, sha), status=201)


def move_ref(call: Call) -> Answer:
    repository, body = call.repository, call.request.json()
    call.may(repository, "contents", Level.WRITE)
    ref, sha = f"refs/{call.where['ref']}", str(body.get("sha", ""))
    old = bare.ref_target(repository.path, ref)
    if old is None:
        raise Refusal(422, "Reference does not exist")
    _require_commit(repository, sha)
    if not body.get("force") and not contains(repository.path, sha, old):
        raise Refusal(422, "Update is not a fast forward")
    _move(call, repository, ref, old, sha)
    return ok(ref_shape(call, repository, ref, sha))


def _move(call: Call, repository: Repository, ref: str, old: str | None, sha: str) -> None:
    branch = ref.removeprefix("refs/heads/")
    rules = repository.protections.get(branch)
    if rules is not None and rules.restrict_pushes:
        raise Refusal(422, "Protected branch update failed: changes must be made through a pull request.")
    bare.set_ref(repository.path, ref, sha)
    if branch != ref:
        branch_moved(call.world, repository, branch, old or NOTHING, sha, call.user.login)


def _require_commit(repository: Repository, sha: str) -> None:
    with opened(repository.path) as found:
        _object(found, sha)


def _require_workflows(call: Call, entries: Sequence[Mapping[str, Any]]) -> None:
    touched = any(str(entry.get("path", "")).startswith(".github/workflows/") for entry in entries)
    if touched and not call.asker.allows("workflows", write=True):
        raise Refusal(403, "Resource not accessible by integration")


def _object(repository: pygit2.Repository, sha: str) -> pygit2.Object:
    try:
        return repository[sha]
    except (KeyError, ValueError) as error:
        raise Refusal(422, f"Object does not exist: {sha}") from error


def _put(repository: pygit2.Repository, index: pygit2.Index, entry: Mapping[str, Any]) -> None:
    path, mode = str(entry.get("path", "")), str(entry.get("mode", ""))
    if mode not in _MODES or not path:
        raise invalid("Tree", "tree.mode is not allowed", field="mode", code="invalid")
    if "content" in entry:
        blob = repository.create_blob(str(entry["content"]).encode())
        index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode(int(mode, 8))))
    elif entry.get("sha") is not None:
        sha = _object(repository, str(entry["sha"])).id
        index.add(pygit2.IndexEntry(path, sha, pygit2.enums.FileMode(int(mode, 8))))
    elif path in index:
        index.remove(path)
    else:
        raise Refusal(422, "GitRPC::BadObjectState")


def _entry_shape(call: Call, repository: Repository, entry: pygit2.Object) -> dict[str, Any]:
    mode = f"{int(entry.filemode or 0):06o}"
    return {
        "path": entry.name,
        "mode": mode,
        "type": _MODES[mode],
        "sha": str(entry.id),
        "size": entry.size if isinstance(entry, pygit2.Blob) else 0,
        "url": _url(call, repository, f"{_MODES[mode]}s/{entry.id}"),
    }


def _author(call: Call, wanted: Mapping[str, str] | None) -> Author:
    own = call.world.author(call.user.login)
    if wanted is None:
        return own
    at = datetime.fromisoformat(wanted["date"]) if "date" in wanted else own.at
    return Author(name=wanted["name"], email=wanted["email"], at=at)


def _url(call: Call, repository: Repository, rest: str) -> str:
    return f"{call.world.links.api}/repos/{repository.full_name}/git/{rest}"


ROUTES: Sequence[Route] = (
    Route("POST", "/repos/{owner}/{repo}/git/blobs", make_blob),
    Route("POST", "/repos/{owner}/{repo}/git/trees", make_tree),
    Route("POST", "/repos/{owner}/{repo}/git/commits", make_git_commit),
    Route("GET", "/repos/{owner}/{repo}/git/commits/{sha}", get_git_commit),
    Route("POST", "/repos/{owner}/{repo}/git/refs", make_ref, content=True),
    Route("PATCH", "/repos/{owner}/{repo}/git/refs/{ref*}", move_ref, content=True),
)
