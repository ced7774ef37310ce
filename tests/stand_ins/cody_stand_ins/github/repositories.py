"""Who asks, repositories, their files and branches, and forks."""

import base64
from collections.abc import Sequence
from typing import Any

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level, level_of
from cody_stand_ins.github.call import Call, Route, listed, ok
from cody_stand_ins.github.commit_shape import commit_shape
from cody_stand_ins.github.identities import Level, simple_user
from cody_stand_ins.github.names import node_id, stamp
from cody_stand_ins.github.pushes import NOTHING, branch_moved
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.refusal import Refusal, invalid, not_found
from cody_stand_ins.github.repository_shape import full_repository
from cody_stand_ins.github.request import Answer

_KINDS = {0o040000: "dir", 0o120000: "symlink", 0o160000: "submodule"}
_LARGEST_INLINE = 1_024 * 1_024


def get_user(call: Call) -> Answer:
    if call.asker.installation is not None:
        raise Refusal(403, "Resource not accessible by integration")
    user = call.user
    nothing = dict.fromkeys(("name", "company", "blog", "location", "hireable", "bio", "twitter_username"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    times = {"created_at": stamp(user.created_at), "updated_at": stamp(user.created_at)}
    private = dict.fromkeys(
        ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators"), 0
    )
    shape = {**simple_user(user, call.world.links), **nothing, "email": user.email, **counts, **times, **private}
    return ok({**shape, "two_factor_authentication": True, "user_view_type": "private"})


def get_repository(call: Call) -> Answer:
    return ok(full_repository(call.world, call.repository, call.token))


def list_of_organization(call: Call) -> Answer:
    return _list_of(call, "Organization")


def list_of_user(call: Call) -> Answer:
    return _list_of(call, "User")


def get_contents(call: Call) -> Answer:
    repository = call.repository
    call.may(repository, "contents", Level.READ)
    wanted = call.request.query.get("ref") or repository.default_branch
    commit, path = _commit_of(repository, wanted), call.where["path"].strip("/")
    if not path:
        return ok(_folder(call, repository, commit, ""))
    found = bare.file_at(repository.path, commit, path)
    if found is None:
        raise not_found()
    blob, mode, content = found
    if mode == 0o040000:
        return ok(_folder(call, repository, commit, path))
    if "raw" in call.request.headers.get("accept", ""):
        return Answer(body=content, headers={"content-type": "application/vnd.github.raw; charset=utf-8"})
    return ok(_file(call, repository, path, blob, content))


def get_branch(call: Call) -> Answer:
    repository, name = call.repository, call.where["branch"]
    call.may(repository, "contents", Level.READ)
    head = bare.branch_head(repository.path, name)
    if head is None:
        raise Refusal(404, "Branch not found")
    url = f"{call.world.links.api}/repos/{repository.full_name}/branches/{name}"
    return ok(
        {
            "name": name,
            "commit": commit_shape(call.world, repository, head),
            "_links": {"self": url, "html": f"{call.world.links.html}/{repository.full_name}/tree/{name}"},
            "protected": name in repository.protections,
            "protection": {"enabled": name in repository.protections},
            "protection_url": f"{url}/protection",
        }
    )


def get_ref(call: Call) -> Answer:
    repository, name = call.repository, call.where["ref"]
    call.may(repository, "contents", Level.READ)
    if not bare.branches(repository.path):
        raise Refusal(409, "Git Repository is empty.")
    found = bare.ref_target(repository.path, f"refs/{name}")
    if found is None:
        raise not_found()
    return ok(ref_shape(call, repository, f"refs/{name}", found))


def delete_ref(call: Call) -> Answer:
    repository, name = call.repository, call.where["ref"]
    call.may(repository, "contents", Level.WRITE)
    branch = name.removeprefix("heads/")
    old = bare.ref_target(repository.path, f"refs/{name}")
    if old is None:
        raise Refusal(422, "Reference does not exist")
    if branch in repository.protections or branch == repository.default_branch:
        raise Refusal(422, "Cannot delete a protected branch")
    bare.delete_ref(repository.path, f"refs/{name}")
    branch_moved(call.world, repository, branch, old, NOTHING, call.user.login)
    return Answer(status=204)


def fork(call: Call) -> Answer:
    """It is accepted at once, and there some looks later."""
    repository, body = call.repository, call.request.json()
    owner = str(body.get("organization") or call.user.login)
    if not repository.allow_forking:
        raise Refusal(403, "The repository exists, but forking is disabled.")
    if owner.lower() == repository.owner.lower():
        raise invalid("Fork", "A repository cannot be forked to its own account.")
    found = next((one for one in _forks(call, repository) if one.owner.lower() == owner.lower()), None)
    made = found or _make_fork(call, repository, owner, str(body.get("name") or repository.name))
    return ok(full_repository(call.world, made, call.token), status=202)


def list_forks(call: Call) -> Answer:
    ready = [one for one in _forks(call, call.repository) if not one.polls_until_ready]
    return listed(call, [full_repository(call.world, one, call.token) for one in ready])


def _list_of(call: Call, kind: str) -> Answer:
    owner = call.world.users.get(call.where["account"].lower())
    if owner is None or owner.kind != kind:
        raise not_found()
    found = [one for one in call.world.repositories.values() if one.owner.lower() == owner.login.lower()]
    seen = [one for one in found if level(call.world, call.token, one) > Level.NONE]
    seen.sort(key=lambda one: one.full_name.lower())
    return listed(call, [full_repository(call.world, one, call.token) for one in seen])


def ref_shape(call: Call, repository: Repository, ref: str, commit: str) -> dict[str, Any]:
    api = f"{call.world.links.api}/repos/{repository.full_name}/git"
    return {
        "ref": ref,
        "node_id": node_id("REF", repository.id),
        "url": f"{api}/{ref}",
        "object": {"sha": commit, "type": "commit", "url": f"{api}/commits/{commit}"},
    }


def _commit_of(repository: Repository, name: str) -> str:
    found = bare.branch_head(repository.path, name) or bare.commit_named(repository.path, name)
    if found is None:
        raise Refusal(404, f"No commit found for the ref {name}")
    return found


def _folder(call: Call, repository: Repository, commit: str, path: str) -> list[dict[str, Any]]:
    prefix = f"{path}/" if path else ""
    return [
        {
            **_addresses(call, repository, f"{prefix}{name}", blob),
            "type": _KINDS.get(mode, "file"),
            "size": size,
        }
        for name, blob, mode, size in bare.folder_at(repository.path, commit, path)
    ]


def _file(call: Call, repository: Repository, path: str, blob: str, content: bytes) -> dict[str, Any]:
    large = len(content) > _LARGEST_INLINE
    return {
        **_addresses(call, repository, path, blob),
        "type": "file",
        "size": len(content),
        "encoding": "none" if large else "base64",
        "content": "" if large else base64.encodebytes(content).decode(),
    }


def _addresses(call: Call, repository: Repository, path: str, blob: str) -> dict[str, Any]:
    api = f"{call.world.links.api}/repos/{repository.full_name}"
    html = f"{call.world.links.html}/{repository.full_name}"
    url, git, page = f"{api}/contents/{path}", f"{api}/git/blobs/{blob}", f"{html}/blob/HEAD/{path}"
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": blob,
        "url": url,
        "git_url": git,
        "html_url": page,
        "download_url": f"{html}/raw/HEAD/{path}",
        "_links": {"self": url, "git": git, "html": page},
    }


def _forks(call: Call, repository: Repository) -> Sequence[Repository]:
    return [one for one in call.world.repositories.values() if one.parent == repository.key]


def _make_fork(call: Call, repository: Repository, owner: str, name: str) -> Repository:
    world = call.world
    while f"{owner}/{name}".lower() in world.repositories:
        name += "-1"
    made = Repository(
        id=world.new_id(),
        owner=owner,
        name=name,
        path=world.folder / owner / f"{name}.git",
        created_at=world.now(),
        pushed_at=world.now(),
        private=repository.private,
        default_branch=repository.default_branch,
        parent=repository.key,
        polls_until_ready=world.fork_polls,
    )
    if level_of(world, call.user.login, made) < Level.ADMIN:
        made.levels[call.user.login.lower()] = Level.ADMIN
    bare.make_bare(made.path, repository.path, repository.default_branch)
    world.repositories[made.key] = made
    return made


ROUTES: Sequence[Route] = (
    Route("GET", "/user", get_user),
    Route("GET", "/orgs/{account}/repos", list_of_organization),
    Route("GET", "/users/{account}/repos", list_of_user),
    Route("GET", "/repos/{owner}/{repo}", get_repository),
    Route("GET", "/repos/{owner}/{repo}/contents/{path*}", get_contents),
    Route("GET", "/repos/{owner}/{repo}/branches/{branch*}", get_branch),
    Route("GET", "/repos/{owner}/{repo}/git/ref/{ref*}", get_ref),
    Route("DELETE", "/repos/{owner}/{repo}/git/refs/{ref*}", delete_ref, content=True),
    Route("GET", "/repos/{owner}/{repo}/forks", list_forks),
    Route("POST", "/repos/{owner}/{repo}/forks", fork, content=True),
)
