"""Pull requests: list, open, read, change."""

from collections.abc import Sequence
from typing import Any

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level, level_of, require_sight
from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.merging import commits_between, merge_base
from cody_stand_ins.github.pull_shape import simple_pull, whole_pull
from cody_stand_ins.github.pull_state import know_mergeable
from cody_stand_ins.github.pushes import close, point_to_head, tell_pull
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.refusal import Refusal, invalid
from cody_stand_ins.github.request import Answer
from cody_stand_ins.github.world import World

_TYPES = {"title": str, "body": str, "state": str, "base": str, "maintainer_can_modify": bool}


def list_pulls(call: Call) -> Answer:
    repository = call.repository
    query = call.request.query
    found = [pull for pull in repository.pulls.values() if _matches(pull, query)]
    found.sort(key=lambda pull: pull.number, reverse=query.get("direction") != "asc")
    page, headers = call.request.page(found)
    return ok([simple_pull(call.world, repository, pull) for pull in page], headers=headers)


def get_pull(call: Call) -> Answer:
    repository, pull = call.pull
    know_mergeable(repository, pull)
    return ok(whole_pull(call.world, repository, pull))


def open_pull(call: Call) -> Answer:
    repository, body = call.repository, call.request.json()
    call.may_take_part(repository, "pull_requests")
    head, branch = _head_of(call, repository, body)
    base = str(body.get("base", ""))
    base_sha, head_sha = bare.branch_head(repository.path, base), bare.branch_head(head.path, branch)
    if head_sha is None:
        raise invalid("PullRequest", "", field="head", code="invalid")
    if base_sha is None:
        raise invalid("PullRequest", "", field="base", code="invalid")
    if not isinstance(body.get("title"), str) or not body["title"]:
        raise invalid("PullRequest", "", field="title", code="missing_field")
    _refuse_second(repository, head, branch, base)
    _require_push(call, repository, head)
    pull = _new_pull(call, repository, head, branch, base, base_sha, head_sha, body)
    point_to_head(repository, pull, head)
    _refuse_nothing(repository, pull)
    repository.pulls[pull.number] = pull
    tell_pull(call.world, repository, pull, "opened", call.user.login)
    url = f"{call.world.links.api}/repos/{repository.full_name}/pulls/{pull.number}"
    return ok(whole_pull(call.world, repository, pull), status=201, headers={"location": url})


def change_pull(call: Call) -> Answer:
    repository, pull = call.pull
    body = call.request.json()
    _require_hand(call, repository, pull)
    for name, value in body.items():
        if name in _TYPES and not isinstance(value, _TYPES[name]) and not (name == "body" and value is None):
            raise invalid("PullRequest", f"{name} has the wrong type", field=name, code="invalid")
    if "base" in body:
        _change_base(call, repository, pull, body["base"])
    pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
    pull.updated_at = call.world.now()
    if {"title", "body"} & body.keys():
        tell_pull(call.world, repository, pull, "edited", call.user.login)
    _change_state(call, repository, pull, body.get("state", pull.state))
    return ok(whole_pull(call.world, repository, pull))


def new_number(repository: Repository) -> int:
    return max(repository.pulls, default=0) + 1


def _matches(pull: Pull, query: Any) -> bool:
    state = query.get("state", "open")
    owner, separator, ref = query.get("head", "").partition(":")
    if separator and (pull.head_owner.lower(), pull.head_ref) != (owner.lower(), ref):
        return False
    return state in {"all", pull.state} and query.get("base") in {None, "", pull.base_ref}


def _head_of(call: Call, repository: Repository, body: dict[str, Any]) -> tuple[Repository, str]:
    """`branch`, or `owner:branch` of the repository or of a fork."""
    owner, separator, branch = str(body.get("head", "")).rpartition(":")
    if not separator or owner.lower() == repository.owner.lower():
        return repository, branch
    for one in call.world.repositories.values():
        if one.owner.lower() == owner.lower() and one.parent == repository.key:
            require_sight(call.world, call.token, one)
            return one, branch
    raise invalid("PullRequest", "", field="head", code="invalid")


def _refuse_second(repository: Repository, head: Repository, branch: str, base: str) -> None:
    wanted = (head.key, branch, base)
    if any(
        pull.state == "open" and (pull.head, pull.head_ref, pull.base_ref) == wanted
        for pull in repository.pulls.values()
    ):
        message = f"A pull request already exists for {head.owner}:{branch}."
        raise invalid("PullRequest", message)


def _require_push(call: Call, repository: Repository, head: Repository) -> None:
    """A pull request is opened by who may push to its branch, or to its base."""
    levels = [level(call.world, call.asker, one) for one in (repository, head)]
    if max(levels) < Level.WRITE:
        raise Refusal(403, "Resource not accessible: you need write access to the head or the base repository")


def _refuse_nothing(repository: Repository, pull: Pull) -> None:
    between = f"{pull.base_ref} and {pull.head_owner}:{pull.head_ref}"
    if merge_base(repository.path, pull.base_sha, pull.head_sha) is None:
        raise invalid("PullRequest", f"The {pull.head_ref} branch has no history in common with {pull.base_ref}")
    if not commits_between(repository.path, pull.base_sha, pull.head_sha):
        raise invalid("PullRequest", f"No commits between {between}")


def _new_pull(
    call: Call,
    repository: Repository,
    head: Repository,
    branch: str,
    base: str,
    base_sha: str,
    head_sha: str,
    body: dict[str, Any],
) -> Pull:
    now = call.world.now()
    return Pull(
        id=call.world.new_id(),
        number=new_number(repository),
        login=call.user.login,
        title=body["title"],
        body=body.get("body"),
        head=head.key,
        head_owner=head.owner,
        head_ref=branch,
        head_sha=head_sha,
        base_ref=base,
        base_sha=base_sha,
        draft=bool(body.get("draft", False)),
        created_at=now,
        updated_at=now,
        maintainer_can_modify=bool(body.get("maintainer_can_modify", False)) and head.key != repository.key,
    )


def _require_hand(call: Call, repository: Repository, pull: Pull) -> None:
    """Its author may change it, and who may write."""
    call.may_take_part(repository, "pull_requests")
    own = pull.login == call.user.login
    if not own and call.asker.installation is None and level_of(call.world, call.asker.login, repository) < Level.WRITE:
        raise Refusal(403, "Must have admin rights to Repository.")


def _change_base(call: Call, repository: Repository, pull: Pull, base: str) -> None:
    found = bare.branch_head(repository.path, base)
    if found is None:
        raise invalid("PullRequest", "", field="base", code="invalid")
    pull.base_ref, pull.base_sha = base, found


def _change_state(call: Call, repository: Repository, pull: Pull, state: str) -> None:
    if state == pull.state:
        return
    if state == "closed":
        close(call.world, repository, pull, call.user.login)
        return
    reopen(call.world, repository, pull, call.user.login)


def reopen(world: World, repository: Repository, pull: Pull, login: str) -> None:
    head = world.repositories.get(pull.head or "")
    found = None if head is None else bare.branch_head(head.path, pull.head_ref)
    if pull.merged_at is not None or head is None or found is None:
        raise invalid("PullRequest", "state cannot be changed. The branch has been deleted.", field="state")
    _refuse_second(repository, head, pull.head_ref, pull.base_ref)
    pull.state, pull.closed_at, pull.head_sha = "open", None, found
    point_to_head(repository, pull, head)
    tell_pull(world, repository, pull, "reopened", login)


ROUTES: Sequence[Route] = (
    Route("GET", "/repos/{owner}/{repo}/pulls", list_pulls),
    Route("POST", "/repos/{owner}/{repo}/pulls", open_pull, content=True),
    Route("GET", "/repos/{owner}/{repo}/pulls/{number}", get_pull),
    Route("PATCH", "/repos/{owner}/{repo}/pulls/{number}", change_pull, content=True),
)
