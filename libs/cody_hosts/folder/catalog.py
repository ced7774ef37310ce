"""The repositories below a folder, and what can be told of them without opening them."""

import asyncio
import os
from fnmatch import fnmatchcase
from pathlib import Path

from cody_hosts.folder.code_host import FolderCodeHost, is_repository
from cody_hosts.folder.read_file import read_file
from cody_jobs.errors import BadQuery, NothingFound
from cody_jobs.opt_out import OPT_OUT_FILE, OPT_OUT_MOST_BYTES, opted_out
from cody_jobs.ports.code_host import Found, FoundRepository, HostedRepository, Permission, SearchKind
from cody_jobs.repository_names import BadRepositoryName, check_repository_name

_HEAD = "ref: refs/heads/"
_DEFAULT_BRANCH = "main"


class FolderCatalog:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._host = FolderCodeHost(root)

    async def describe(self, repository: str) -> HostedRepository:
        place = await asyncio.to_thread(self._host.find, repository)
        git_folder = await asyncio.to_thread(_git_folder, place)
        opt_out = await read_file(git_folder, OPT_OUT_FILE, most_bytes=OPT_OUT_MOST_BYTES)
        return HostedRepository(
            name=repository,
            default_branch=await asyncio.to_thread(_default_branch, git_folder),
            permission=await asyncio.to_thread(_permission, git_folder),
            opted_out=opted_out((), opt_out),
        )

    async def expand(self, glob: str) -> Found:
        owner, separator, pattern = glob.partition("/")
        if not separator or not pattern or set(owner) & set("*?["):
            raise BadQuery(f"{glob!r}: a glob names its owner, as in acme/*")
        names = await asyncio.to_thread(self._names, owner)
        found = [name for name in names if fnmatchcase(name.lower(), glob.lower())]
        if not found:
            raise NothingFound(f"{glob!r} fits none of the {len(names):,} repositories of {owner}")
        return Found(repositories=tuple(FoundRepository(name=name, reason=f"fits {glob}") for name in found))

    async def search(self, kind: SearchKind, query: str) -> Found:
        raise BadQuery(f"a folder of repositories has no search of {kind} ({query!r}): name repositories, or a glob")

    def _names(self, owner: str) -> list[str]:
        folder = self._root / owner
        if not _is_name(f"{owner}/x") or not folder.is_dir():
            return []
        places = [place for place in sorted(folder.iterdir()) if is_repository(place)]
        names = dict.fromkeys(f"{owner}/{place.name.removesuffix('.git')}" for place in places)
        return [name for name in names if _is_name(name)]


def _is_name(name: str) -> bool:
    try:
        check_repository_name(name)
    except BadRepositoryName:
        return False
    return True


def _git_folder(place: Path) -> Path:
    """A file `.git` says where the folder is."""
    inside = place / ".git"
    if inside.is_file():
        return (place / inside.read_text(errors="replace").removeprefix("gitdir:").strip()).resolve()
    return inside if inside.is_dir() else place


def _default_branch(git_folder: Path) -> str:
    head = (git_folder / "HEAD").read_text(errors="replace").strip()
    return head.removeprefix(_HEAD) if head.startswith(_HEAD) else _DEFAULT_BRANCH


def _permission(git_folder: Path) -> Permission:
    writable = all(os.access(git_folder / name, os.W_OK) for name in ("objects", "refs"))
    return Permission.WRITE if writable else Permission.READ
