"""The demo leaves nothing behind: wait until the last program has let go of the folder, then delete it."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from cody_cli.failures import CommandFailed

_SECONDS = 30.0


@asynccontextmanager
async def temporary_data() -> AsyncGenerator[Path]:
    """A folder whose `data` is a CODY_DATA; deleted at the end, once no program of the demo uses it any more."""
    with tempfile.TemporaryDirectory(prefix="cody-demo-", ignore_cleanup_errors=True) as name:
        folder = _real(name)
        try:
            yield folder
        finally:
            (folder / "data").mkdir(exist_ok=True)
            await _wait_for_supervisor(folder / "data" / "supervisor.lock")
            _delete_what_links_lead_to(folder / "data")
    _check_gone(folder)


async def _wait_for_supervisor(lock: Path) -> None:
    """The embedded database stops by itself, a moment after its last user; its supervisor holds this lock."""
    clock = asyncio.get_running_loop().time
    give_up = clock() + _SECONDS
    with lock.open("ab") as file:
        while not _is_free(file.fileno()):
            if clock() > give_up:
                raise CommandFailed(f"the embedded database in {lock.parent} did not stop within {_SECONDS:g} s")
            await asyncio.sleep(0.05)


def _is_free(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _delete_what_links_lead_to(data: Path) -> None:
    """Where root runs PostgreSQL as another user, the database is kept outside, behind a link."""
    for link in (data / "postgres", data / "socket"):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)


def _real(folder: str) -> Path:
    """Git tells real paths, and temporary folders of some systems are behind a link."""
    return Path(folder).resolve()


def _check_gone(folder: Path) -> None:
    if folder.exists():
        raise CommandFailed(f"{folder} could not be deleted")
