"""Put a patch on a new branch of a user's repository, without touching its work tree, its index or its HEAD."""

import tempfile
from pathlib import Path

from cody_cli.failures import BadInput, CommandFailed
from cody_cli.git import GitFailed, git

_NOBODY = "Cody Batch"


def check_branch_name(name: str) -> None:
    try:
        git(Path("/"), "check-ref-format", f"refs/heads/{name}")
    except GitFailed:
        raise BadInput(f"{name!r} is not a valid branch name", hint="see `git help check-ref-format`") from None
    if name.startswith("-"):
        raise BadInput(f"{name!r} is not a valid branch name: it begins with a dash")


def check_branch_is_new(repository: Path, name: str) -> None:
    """Before a job is paid for: a branch that exists is never moved."""
    if _exists(repository, name):
        raise BadInput(f"{repository} has a branch {name!r} already", hint="choose another name with --branch")


def create_branch(repository: Path, name: str, *, base: str, message: str, patch: bytes) -> str:
    """Commit the patch on top of `base` and point the new branch at it; the commit's id.

    Raises `CommandFailed` when the patch does not apply there or the branch exists.
    """
    with tempfile.TemporaryDirectory(prefix="cody-batch-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(repository, "read-tree", base, environment=index)
        git(repository, "apply", "--cached", "--whitespace=nowarn", "-", stdin=patch, environment=index)
        tree = git(repository, "write-tree", environment=index).decode().strip()
    commit = _commit(repository, tree, base, message)
    try:
        git(repository, "update-ref", "-m", "cody-batch", f"refs/heads/{name}", commit, _no_commit(commit))
    except GitFailed as error:
        if _exists(repository, name):
            raise CommandFailed(f"{repository} has a branch {name!r} already; it was left as it is") from error
        raise
    return commit


def _commit(repository: Path, tree: str, base: str, message: str) -> str:
    arguments = ("commit-tree", "--no-gpg-sign", tree, "-p", base, "-F", "-")
    return git(repository, *arguments, stdin=message.encode(), environment=_author(repository)).decode().strip()


def _author(repository: Path) -> dict[str, str]:
    """Nothing where git knows the user; otherwise a name of ours, so that a commit is possible."""
    try:
        git(repository, "var", "GIT_COMMITTER_IDENT")
    except GitFailed:
        names = {"GIT_AUTHOR_NAME": _NOBODY, "GIT_COMMITTER_NAME": _NOBODY}
        return {**names, "GIT_AUTHOR_EMAIL": "cody-batch@localhost", "GIT_COMMITTER_EMAIL": "cody-batch@localhost"}
    return {}


def _no_commit(commit: str) -> str:
    return "0" * len(commit)


def _exists(repository: Path, name: str) -> bool:
    try:
        git(repository, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}^{{commit}}")
    except GitFailed:
        return False
    return True
