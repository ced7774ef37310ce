"""Folders for scratch repositories. Each is locked while in use, so that a killed worker's can be found and removed."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "cody-git-"
_PRIVATE = 0o700


class ScratchFolder:
    """A new private folder. Its methods block."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def make(cls, parent: Path) -> "ScratchFolder":
        """Raises `OSError`. The folder gets its name once it is locked: nobody ever sees it without a lock."""
        nameless = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=parent))
        lock = _open(nameless)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(nameless.rename(parent / nameless.name.removeprefix(".")), lock)

    def remove(self) -> None:
        try:
            remove_folder(self.path)
        finally:
            os.close(self._lock)


def remove_abandoned(parent: Path) -> int:
    """Remove the folders that nobody has locked; their number."""
    abandoned = [folder for folder in parent.glob(_PREFIX + "*") if folder.is_dir() and not folder.is_symlink()]
    return sum(_remove_if_unlocked(folder) for folder in abandoned)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep it goes and whatever its modes are.

    Folders are lifted to the top before they are emptied: no path gets long, and nothing recurses.
    """
    name, lifted = secrets.token_hex(8), 0
    folder.chmod(_PRIVATE)
    while subfolders := _empty_but_for_folders(folder):
        for subfolder in subfolders:
            subfolder.chmod(_PRIVATE)
            for deeper in _empty_but_for_folders(subfolder):
                deeper.chmod(_PRIVATE)
                deeper.rename(folder / f"{name}-{lifted}")
                lifted += 1
            subfolder.rmdir()
    folder.rmdir()


def _empty_but_for_folders(folder: Path) -> list[Path]:
    """Unlink everything in a folder that is not a folder itself; return those."""
    folders: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                Path(entry.path).unlink()
    return folders


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Raises `BlockingIOError` when somebody else has the lock. The kernel drops it with the process that holds it."""
    lock = _open(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _remove_if_unlocked(folder: Path) -> bool:
    # Other workers of the machine sweep at the same time: what is gone is gone. What belongs to another user stays.
    with suppress(BlockingIOError, FileNotFoundError, PermissionError), _locked(folder):
        remove_folder(folder)
        return True
    return False
