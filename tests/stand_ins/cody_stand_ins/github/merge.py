"""Merging pull requests, by hand and by themselves, and bringing their branches up to date."""

from collections.abc import Sequence

from cody_stand_ins.github import bare
from cody_stand_ins.github.access import level_of
from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.merging import contains, make_commit, merge_tree, rebase
from cody_stand_ins.github.pull_state import is_mergeable, rollup, what_blocks
from cody_stand_ins.github.pushes import NOTHING, branch_moved, mark_merged
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.refusal import Refusal
from cody_stand_ins.github.request import Answer
from cody_stand_ins.github.world import World

_METHODS = ("merge", "squash", "rebase")


def put_merge(call: Call) -> Answer:
    repository, pull = call.pull
    call.may(repository, "contents", Level.WRITE)
    body = call.request.json()
    refuse_merge(repository, pull, body.get("sha"))
    made = merge(
        call.world,
        repository,
        pull,
        call.user.login,
        method=str(body.get("merge_method", "merge")),
        title=body.get("commit_title"),
        message=body.get("commit_message"),
    )
    return ok({"sha": made, "merged": True, "message": "Pull Request successfully merged"})


def refuse_merge(repository: Repository, pull: Pull, sha: str | None) -> None:
    if pull.state != "open":
        raise Refusal(405, "Pull Request is not mergeable")
    if sha is not None and sha != pull.head_sha:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    if pull.draft:
        raise Refusal(405, "Pull Request is still a draft")
    blocked = what_blocks(repository, pull)
    if blocked is not None:
        raise Refusal(405, blocked)


def merge(
    world: World,
    repository: Repository,
    pull: Pull,
    login: str,
    *,
    method: str,
    title: str | None = None,
    message: str | None = None,
) -> str:
    """Really, in the repository; the id of the commit that the base branch then has."""
    if method not in _METHODS:
        raise Refusal(422, "Invalid merge method")
    made = _make(world, repository, pull, login, method, _text(pull, method, title, message))
    old = pull.base_sha
    bare.set_ref(repository.path, f"refs/heads/{pull.base_ref}", made)
    pull.base_sha = old
    mark_merged(world, repository, pull, made, login)
    branch_moved(world, repository, pull.base_ref, old, made, login)
    _delete_branch(world, repository, pull, login)
    return made


def update_branch(call: Call) -> Answer:
    """The base into the head. GitHub accepts it at once."""
    repository, pull = call.pull
    call.may(repository, "contents", Level.WRITE)
    expected = call.request.json().get("expected_head_sha")
    head = call.world.repositories.get(pull.head or "")
    if expected is not None and expected != pull.head_sha:
        raise Refusal(422, "expected head sha didn't match current head ref.")
    if head is None or contains(repository.path, pull.head_sha, pull.base_sha):
        raise Refusal(422, "There are no new commits on the base branch.")
    tree = merge_tree(repository.path, pull.head_sha, pull.base_sha)
    if tree is None:
        raise Refusal(422, "merge conflict between base and head")
    text = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
    author = call.world.author(call.user.login)
    made = make_commit(repository.path, tree, [pull.head_sha, pull.base_sha], text, author)
    _move_head(call.world, repository, head, pull, made, call.user.login)
    url = f"{call.world.links.html}/{repository.full_name}/pull/{pull.number}"
    return ok({"message": "Updating pull request branch.", "url": url}, status=202)


def settle(world: World, repository: Repository, pull: Pull) -> None:
    """Merge what waits for nothing any more, where that was wished."""
    auto = pull.auto_merge
    if auto is None or pull.state != "open" or pull.draft or what_blocks(repository, pull) is not None:
        return
    if rollup(repository, pull.head_sha) in {None, "SUCCESS"} and is_mergeable(repository, pull):
        merge(world, repository, pull, auto.login, method=auto.method, title=auto.title or None)


def _make(world: World, repository: Repository, pull: Pull, login: str, method: str, text: str) -> str:
    author = world.author(login)
    if method == "rebase":
        made = rebase(repository.path, pull.base_sha, pull.head_sha, author)
        if made is None:
            raise Refusal(405, "This branch can't be rebased")
        return made
    tree = merge_tree(repository.path, pull.base_sha, pull.head_sha)
    if tree is None:
        raise Refusal(405, "Pull Request is not mergeable")
    parents = [pull.base_sha] if method == "squash" else [pull.base_sha, pull.head_sha]
    made = make_commit(repository.path, tree, parents, text, author)
    repository.verified.add(made)
    return made


def _text(pull: Pull, method: str, title: str | None, message: str | None) -> str:
    if method == "squash":
        return f"{title or f'{pull.title} (#{pull.number})'}\n\n{message or ''}".strip()
    first = title or f"Merge pull request #{pull.number} from {pull.head_owner}/{pull.head_ref}"
    return f"{first}\n\n{message or pull.title}"


def _delete_branch(world: World, repository: Repository, pull: Pull, login: str) -> None:
    if repository.delete_branch_on_merge and pull.head == repository.key:
        bare.delete_ref(repository.path, f"refs/heads/{pull.head_ref}")
        branch_moved(world, repository, pull.head_ref, pull.head_sha, NOTHING, login)


def _move_head(world: World, repository: Repository, head: Repository, pull: Pull, made: str, login: str) -> None:
    if head.key != repository.key:
        if level_of(world, login, head) < Level.WRITE and not pull.maintainer_can_modify:
            raise Refusal(403, "You do not have permission to update the head branch")
        bare.set_ref(repository.path, f"refs/pull/{pull.number}/head", made)
        bare.fetch(head.path, repository.path, f"refs/pull/{pull.number}/head", f"refs/heads/{pull.head_ref}")
    else:
        bare.set_ref(head.path, f"refs/heads/{pull.head_ref}", made)
    branch_moved(world, head, pull.head_ref, pull.head_sha, made, login)


ROUTES: Sequence[Route] = (
    Route("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge", put_merge, content=True),
    Route("PUT", "/repos/{owner}/{repo}/pulls/{number}/update-branch", update_branch, content=True),
)
