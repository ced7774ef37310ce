"""Bring a target repository within reach: a scratch repository that borrows a local one's objects, or fetches them."""

import os
from pathlib import Path

import pygit2
from msgspec import Struct
from pygit2.enums import ConfigLevel, ReferenceType, RepositoryOpenFlag

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import CloneSource
from cody_worker.git.fetch import fetch_head
from cody_worker.git.git_errors import reading
from cody_worker.git.limits import Checkout, GitLimits

_MEBIBYTE = 1 << 20
_COMMON_FOLDER = "commondir"


class OpenedSource(Struct, frozen=True, kw_only=True):
    """`scratch` is ours: its object database also finds the source's objects, and what is written goes to it alone."""

    scratch: pygit2.Repository
    checkout: Checkout


def obey_nobody() -> None:
    """Settings of libgit2 for this whole process: no configuration of the machine's or a person's is read, a
    repository may belong to anybody, and packs are mapped in small pieces, so that the memory limit holds."""
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
        pygit2.settings.search_path[level] = ""
    pygit2.settings.owner_validation = False
    pygit2.settings.mwindow_size = 32 * _MEBIBYTE
    pygit2.settings.mwindow_mapped_limit = 256 * _MEBIBYTE
    pygit2.settings.cache_max_size(32 * _MEBIBYTE)


def open_source(source: CloneSource, folder: Path, limits: GitLimits) -> OpenedSource:
    """Make the scratch repository in the empty `folder`. The source is never written to.

    Raises `JobFailed`: `repository_not_found`, `repository_empty`, `repository_unreadable`, `repository_too_large`,
    `disk_full`, `code_host_unavailable`.
    """
    with reading("the scratch repository"):
        scratch = pygit2.init_repository(folder, bare=True, template_path="")
        scratch.config["core.abbrev"] = 40
    if source.url is not None:
        return OpenedSource(scratch=scratch, checkout=fetch_head(scratch, source.url, source.token, limits))
    assert source.path is not None
    return OpenedSource(scratch=scratch, checkout=_borrow(scratch, Path(source.path)))


def _borrow(scratch: pygit2.Repository, path: Path) -> Checkout:
    repository = _open(path)
    try:
        checkout = _head(repository)
        with reading("the object folder"):
            # Not through objects/info/alternates: a path with a line break in it cannot be written there.
            scratch.odb.add_disk_alternate(_objects(Path(repository.path)))
    finally:
        repository.free()
    return checkout


def _open(path: Path) -> pygit2.Repository:
    if not path.is_dir():
        raise JobFailed(FailureCode.REPOSITORY_NOT_FOUND, f"there is no folder {path.name!r}")
    try:
        return pygit2.Repository(path, flags=RepositoryOpenFlag.NO_SEARCH)
    except (pygit2.GitError, OSError, KeyError) as error:
        if "Repository not found" in str(error):
            raise JobFailed(FailureCode.REPOSITORY_NOT_FOUND, f"{path.name!r} is not a git repository") from error
        raise JobFailed(FailureCode.REPOSITORY_UNREADABLE, f"the repository cannot be opened: {error}") from error


def _head(repository: pygit2.Repository) -> Checkout:
    with reading("HEAD"):
        if repository.head_is_unborn:
            raise _empty(repository)
        head = repository.lookup_reference("HEAD")
        branch = str(head.target) if head.type is ReferenceType.SYMBOLIC else None
        # Not peeled: libgit2 would hide a want of memory, and refuse commits with an odd author.
        commit = str(head.resolve().target)
    return Checkout(base_commit=commit, branch=branch and branch.removeprefix("refs/heads/"))


def _empty(repository: pygit2.Repository) -> JobFailed:
    target = str(repository.lookup_reference("HEAD").target).removeprefix("refs/heads/")
    if repository.is_empty or not repository.raw_listall_references():
        return JobFailed(FailureCode.REPOSITORY_EMPTY, "the repository has no commits")
    return JobFailed(
        FailureCode.REPOSITORY_EMPTY, f"HEAD points to the branch {target!r}, which has no commits; other branches do"
    )


def _objects(git_folder: Path) -> Path:
    """Where the objects are; a linked work tree keeps them in the repository that it belongs to."""
    common = git_folder / _COMMON_FOLDER
    if not common.is_file():
        return git_folder / "objects"
    return git_folder / os.fsdecode(common.read_bytes().rstrip(b"\n")) / "objects"
