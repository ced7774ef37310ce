"""Git repositories of this machine, made known under the names `local/<name>` by symbolic links; they are only read."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from cody_cli.failures import BadInput
from cody_cli.git import GitFailed, git

OWNER = "local"


class LocalRepository(Struct, frozen=True, kw_only=True):
    """`name` is what a job calls it: local/<name>. `path` is absolute, without symbolic links."""

    name: str
    path: Path


def find_repositories(paths: Sequence[Path], folder: Path | None) -> list[Path]:
    """The repositories at `paths` and directly below `folder`, each once. Raises `BadInput` for the first bad one."""
    found = [_check_repository(path) for path in paths]
    if folder is not None:
        found += _repositories_below(folder)
    return list(dict.fromkeys(found))


def register_repositories(root: Path, paths: Iterable[Path]) -> list[LocalRepository]:
    """Link each repository as root/local/<name>; the same path gets the same name again."""
    owner = root / OWNER
    owner.mkdir(parents=True, exist_ok=True)
    return [LocalRepository(name=f"{OWNER}/{_link(owner, path)}", path=path) for path in paths]


def uncommitted_changes(path: Path) -> bool:
    """Whether tracked files differ from the last commit, which is what a job works on."""
    try:
        return bool(git(path, "status", "--porcelain", "--untracked-files=no").strip())
    except GitFailed:
        return False  # bare: there is no work tree


def _check_repository(path: Path) -> Path:
    resolved = Path(os.path.realpath(path.expanduser()))
    if not resolved.is_dir():
        raise BadInput(f"{path}: there is no such folder")
    try:
        lines = git(resolved, "rev-parse", "--show-cdup", "--absolute-git-dir").decode(errors="replace").splitlines()
    except GitFailed as error:
        raise BadInput(f"{path} is not a git repository", hint=_hint(str(error))) from error
    # A bare repository has no first line: there is no work tree to go up to.
    up, git_folder = lines[0] if len(lines) > 1 else "", Path(lines[-1])
    if up:
        raise BadInput(f"{path} is inside a repository, not its top", hint=f"--repo {(resolved / up).resolve()}")
    if git_folder not in (resolved, resolved / ".git") and not (resolved / ".git").exists():
        raise BadInput(f"{path} is inside the repository {git_folder}, not its top")
    return resolved


def _hint(said: str) -> str:
    if "dubious ownership" in said:
        return "it belongs to another user: git config --global --add safe.directory PATH"
    return "--repo takes the top folder of a git repository; --repos a folder with repositories directly below"


def _repositories_below(folder: Path) -> list[Path]:
    if not folder.expanduser().is_dir():
        raise BadInput(f"{folder}: there is no such folder")
    below = sorted(path for path in folder.expanduser().iterdir() if path.is_dir() and _looks_like_repository(path))
    if not below:
        raise BadInput(f"{folder}: no git repository directly below", hint="--repo PATH takes a single repository")
    return [_check_repository(path) for path in below]


def _looks_like_repository(path: Path) -> bool:
    bare = (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
    return bare or (path / ".git").exists()


def _link(owner: Path, path: Path) -> str:
    wanted, number = _name_of(path), 1
    while True:
        name = wanted if number == 1 else f"{wanted}-{number}"
        try:
            (owner / name).symlink_to(path)
        except FileExistsError:
            if Path(os.path.realpath(owner / name)) != path:  # else it is the link that we want
                number += 1
                continue
        return name


def _name_of(path: Path) -> str:
    """The folder's name, as far as the rules for repository names allow it."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.name.removesuffix(".git"))
    name = re.sub(r"\.{2,}", ".", name)[:90].strip(".-")
    while name.endswith((".git", ".lock")):
        name = name.rsplit(".", 1)[0].rstrip(".")
    return name or "repository"
