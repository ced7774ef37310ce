"""What the humans of a test do: push, merge, review, talk; and what their machines say of a commit."""

from cody_stand_ins.github import bare
from cody_stand_ins.github.checks import set_checks
from cody_stand_ins.github.issues import add_label, comment, drop_label
from cody_stand_ins.github.merge import merge
from cody_stand_ins.github.pulls import reopen
from cody_stand_ins.github.pushes import NOTHING, branch_moved, close, tell_pull
from cody_stand_ins.github.records import Pull, Repository
from cody_stand_ins.github.reviews import review
from cody_stand_ins.github.stage import Act, CommitFiles, SetChecks
from cody_stand_ins.github.world import World


def commit_files(world: World, wish: CommitFiles) -> dict[str, str]:
    """Past every protection, as an administrator may."""
    repository = world.repository(wish.name)
    old = bare.branch_head(repository.path, wish.branch)
    start = old or bare.branch_head(repository.path, wish.start or repository.default_branch)
    files = {path: None if text is None else text.encode() for path, text in wish.files.items()}
    author = world.author(wish.login)
    new = bare.commit_files(repository.path, wish.branch, files, message=wish.message, author=author, parent=start)
    branch_moved(world, repository, wish.branch, old or NOTHING, new, wish.login)
    return {"sha": new}


def act(world: World, wish: Act) -> None:
    repository = world.repository(wish.name)
    pull = world.pull(repository, wish.number)
    match wish.action:
        case "merge":
            merge(world, repository, pull, wish.login, method=wish.text or "merge")
        case "close":
            close(world, repository, pull, wish.login)
        case "reopen":
            reopen(world, repository, pull, wish.login)
        case "comment":
            comment(world, repository, pull, wish.login, wish.text)
        case "label":
            add_label(world, repository, pull, wish.text, wish.login)
        case "unlabel":
            drop_label(world, repository, pull, wish.text, wish.login)
        case "review":
            review(world, repository, pull, wish.login, wish.state, wish.text)
        case "ready" | "draft":
            _set_draft(world, repository, pull, wish)
        case _:
            raise ValueError(f"nobody knows how to {wish.action}")


def say_checks(world: World, wish: SetChecks) -> None:
    repository = world.repository(wish.name)
    commit = wish.commit or world.pull(repository, wish.number or 0).head_sha
    set_checks(world, repository, commit, wish)


def _set_draft(world: World, repository: Repository, pull: Pull, wish: Act) -> None:
    pull.draft = wish.action == "draft"
    tell_pull(world, repository, pull, "converted_to_draft" if pull.draft else "ready_for_review", wish.login)
