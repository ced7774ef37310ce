"""Write a tree's files into a folder: exact bytes and modes, and nothing outside of it."""

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pygit2

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.git_errors import reading
from cody_worker.git.links import stays_inside
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.rewrite_tree import is_submodule
from cody_worker.git.shortages import disk_full
from cody_worker.git.skip_reasons import is_unsafe_path
from cody_worker.git.trees import FoundFile, walk_files
from cody_worker.git.work_index import write_index
from cody_worker.git.work_tree import LeftOut, WorkTree, WorkTreeLimits

WRITTEN_AT = 1_577_836_800
"""When every file was last changed, in seconds since 1970: the same for the same tree, and long before its index was
written, or git would look for the objects of what might have changed meanwhile."""

_LINK_BYTES = 4_095
_LISTED = 100


class Written:
    """What was written, and what was not, by path."""

    def __init__(self) -> None:
        self.files: list[FoundFile] = []
        self.left_out: dict[bytes, str] = {}

    def told(self) -> WorkTree:
        listed = [
            LeftOut(path=path.decode(errors="replace"), reason=reason)
            for path, reason in list(self.left_out.items())[:_LISTED]
        ]
        return WorkTree(files=len(self.files), left_out=tuple(listed), left_out_count=len(self.left_out))


def materialise(store: ObjectStore, root: bytes, folder: Path, limits: WorkTreeLimits) -> Written:
    """Into the empty `folder`. Submodules become empty folders; links that leave the tree are left out.

    The folder is a git repository of its own, without a commit, remote or hook: tools find their root and obey
    `.gitignore` by it, and `git ls-files` lists what is here, but nothing of the target's history can be seen.
    Raises `JobFailed`: `repository_too_large`, `disk_full`.
    """
    written, room = Written(), _Room(limits.bytes)
    with _writing():
        for file in _links_last(_bounded(walk_files(store, root), limits)):
            reason = _write(store, folder, file, room)
            if reason is None:
                written.files.append(file)
            else:
                written.left_out[file.path] = reason
        _begin_repository(folder, written.files)
    return written


class _Room:
    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise JobFailed(
                FailureCode.REPOSITORY_TOO_LARGE, "the repository's files are too large to be written for commands"
            )


def _bounded(files: Iterator[FoundFile], limits: WorkTreeLimits) -> Iterator[FoundFile]:
    for number, file in enumerate(files):
        if number >= limits.files:
            message = f"the repository has more than {limits.files:,} files: too many for commands to work on"
            raise JobFailed(FailureCode.REPOSITORY_TOO_LARGE, message)
        yield file


def _links_last(files: Iterator[FoundFile]) -> Iterator[FoundFile]:
    """So that no file is ever written through one."""
    links: list[FoundFile] = []
    for file in files:
        if stat.S_ISLNK(file.mode):
            links.append(file)
        else:
            yield file
    yield from links


def _write(store: ObjectStore, folder: Path, file: FoundFile, room: _Room) -> str | None:
    """The reason why this is left out, if it is."""
    if is_unsafe_path(file.path):
        return "its path is not safe"
    path = folder / os.fsdecode(file.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _write_at(store, path, file, room)
    except OSError as error:
        if error.errno in {errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EILSEQ}:
            return f"it cannot be written here: {error.strerror}"
        raise


def _write_at(store: ObjectStore, path: Path, file: FoundFile, room: _Room) -> str | None:
    if is_submodule(file.mode):
        path.mkdir()
        return None
    content = store.read_blob(file.id)
    room.take(len(content))
    if stat.S_ISLNK(file.mode):
        if len(content) > _LINK_BYTES or not stays_inside(file.path, content):
            return "it is a symbolic link that leaves the repository"
        path.symlink_to(os.fsdecode(content))
    else:
        _write_file(path, content, executable=bool(file.mode & 0o111))
    os.utime(path, (WRITTEN_AT, WRITTEN_AT), follow_symlinks=False)
    return None


def _write_file(path: Path, content: bytes, *, executable: bool) -> None:
    mode = 0o755 if executable else 0o644
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)


def _begin_repository(folder: Path, files: list[FoundFile]) -> None:
    with reading("the work tree"):
        repository = pygit2.init_repository(folder, template_path="", initial_head="main")
        repository.config["core.checkStat"] = "minimal"
        repository.config["core.trustctime"] = "false"
        repository.free()
    write_index(folder / ".git/index", folder, files)


@contextmanager
def _writing() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise disk_full(str(error)) from error
        raise
