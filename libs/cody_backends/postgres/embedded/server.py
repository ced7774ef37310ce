"""Use the embedded server: it runs as long as anybody does."""

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from cody_backends.postgres.connection import OwnConnection, connect
from cody_backends.postgres.embedded.layout import DATABASE, PORT, USER, Layout
from cody_backends.postgres.embedded.locks import is_held, is_in_place, open_lock, try_shared
from cody_backends.postgres.embedded.report import SERVER, decode_report
from cody_jobs.errors import SettingsError, Unavailable

_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_NOT_YET = (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError)
_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
"""All that the supervisor is given: no key, no token, and none of the variables that PostgreSQL reads."""


@asynccontextmanager
async def use_server(layout: Layout) -> AsyncGenerator["EmbeddedServer"]:
    """Count as a user of the server until the end of the block, and as long as children of a fork live.

    The server is started by the first connection. Raises `SettingsError` when the data folder cannot be used.
    """
    user = await _become_user(layout)
    try:
        yield EmbeddedServer(layout)
    finally:
        os.close(user)


class EmbeddedServer:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._look: asyncio.Task[None] | None = None

    @property
    def socket_folder(self) -> Path:
        """As PostgreSQL's own programs take it (`psql -h`)."""
        return Path(os.path.realpath(self._layout.socket))

    async def connect(self, *_args: Any, **kwargs: Any) -> OwnConnection:
        """`asyncpg.connect`, which first brings the server back when it is not there. `database`: another one than the
        one in which Cody's tables are."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE_SECONDS
        while True:
            await self._make_sure_that_it_is_watched()
            try:
                return await self._connect_once(kwargs)
            except _NOT_YET as error:
                if clock() >= deadline:
                    raise Unavailable(SERVER, f"{error} (see {self._layout.log})") from error
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _connect_once(self, kwargs: dict[str, Any]) -> OwnConnection:
        return await connect(
            host=await asyncio.to_thread(os.path.realpath, self._layout.socket),
            port=PORT,
            user=USER,
            password="",  # none is asked for; without this one would be looked for in the person's own files
            timeout=_CONNECT_SECONDS,
            **{"database": DATABASE, **kwargs},
        )

    async def _make_sure_that_it_is_watched(self) -> None:
        """All who connect share one look, and one start: it goes on when somebody gives up, so that each of those who
        come next does not begin another one."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._start_when_unwatched(), name="look-after-the-server")
            self._look.add_done_callback(_notice_error)
        await asyncio.shield(self._look)

    async def _start_when_unwatched(self) -> None:
        if not await asyncio.to_thread(is_held, self._layout.supervisor_lock):
            await asyncio.to_thread(start_supervisor, self._layout)


def _notice_error(look: asyncio.Task[None]) -> None:
    """Whoever waited for it has the error; when nobody does any more, nobody needs it."""
    if not look.cancelled():
        look.exception()


def start_supervisor(layout: Layout) -> None:
    """Return when its server is ready, or when another supervisor is in charge; raise what it says otherwise."""
    command = [sys.executable, "-P", "-m", "cody_backends.postgres.embedded.supervisor"]
    process = subprocess.Popen(
        [*command, msgspec.json.encode(layout).decode()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        start_new_session=True,
    )
    with process:
        try:
            said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(SERVER, f"still starting after {_PATIENCE_SECONDS:.0f} s (see {layout.log})") from None
    if said:
        raise decode_report(said)


def _environment() -> dict[str, str]:
    given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return given | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


async def _become_user(layout: Layout) -> int:
    """Take the users' lock; while a supervisor stops the server, wait for the end of that."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _PATIENCE_SECONDS
    while clock() < deadline:
        user = await asyncio.to_thread(_try_to_become_user, layout)
        if user is not None:
            return user
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Unavailable(SERVER, f"an earlier server is still stopping (see {layout.log})")


def _try_to_become_user(layout: Layout) -> int | None:
    user = _open_users_lock(layout)
    if try_shared(user) and is_in_place(user, layout.users_lock):
        return user
    os.close(user)
    return None


def _open_users_lock(layout: Layout) -> int:
    try:
        layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_lock(layout.users_lock)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(SERVER, f"{layout.folder}: {error.strerror}") from error
        raise SettingsError(f"CODY_DATA: {layout.folder} cannot be used: {error.strerror}") from error
