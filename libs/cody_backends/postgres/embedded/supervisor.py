"""The program that runs PostgreSQL while anybody uses it.

`python -m cody_backends.postgres.embedded.supervisor LAYOUT`, the layout as JSON. It goes to the background at once.
Its standard output stays open until the server is ready; whatever it says there is the reason why there is none.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

import msgspec

from cody_backends.postgres.embedded.database_folder import make_database_folder
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.locks import is_in_place, open_lock, release, try_exclusive
from cody_backends.postgres.embedded.place import prepare_place
from cody_backends.postgres.embedded.postmaster import Postmaster
from cody_backends.postgres.embedded.programs import find_programs
from cody_backends.postgres.embedded.report import encode_report
from cody_backends.postgres.embedded.stale_server import clear_stale_server
from cody_jobs.errors import CodyError

_PAUSE_SECONDS = 0.2
_LOCK_SECONDS = 2.0
_RESTARTS_ALLOWED = 5
_RESTARTS_SECONDS = 60.0
_LOG_BYTES = 5_000_000
_OUTPUT, _ERRORS = 1, 2


def main(arguments: list[str]) -> int:
    layout = msgspec.json.decode(arguments[0], type=Layout)
    if os.fork():
        return 0
    os.setsid()
    os.chdir("/")
    stop = _listen_to_signals()
    lock = open_lock(layout.supervisor_lock)
    if not _take(lock):
        return 0
    try:
        _send_errors_to_log(layout)
        postmaster = _start(layout)
    except Exception as error:  # noqa: BLE001 (whatever it is: the program that waits for us has to hear of it)
        _log(repr(error))
        with suppress(OSError):
            os.write(_OUTPUT, encode_report(error))
        return 1
    os.dup2(_ERRORS, _OUTPUT)
    Supervisor(layout, postmaster, lock, stop).watch()
    return 0


class Stop:
    """Set by SIGTERM."""

    asked = False


class Supervisor:
    def __init__(self, layout: Layout, postmaster: Postmaster, lock: int, stop: Stop) -> None:
        self._layout = layout
        self._postmaster = postmaster
        self._lock = lock
        self._users = open_lock(layout.users_lock)
        self._stop = stop
        self._restarts: list[float] = []
        self._unused_since: float | None = None

    def watch(self) -> None:
        """Return when the server was stopped: nobody uses it, we were asked to, or its folder is gone."""
        while not self._stop.asked and is_in_place(self._users, self._layout.users_lock):
            if self._is_unused():
                break
            if not self._postmaster.is_running() and not self._restart():
                break
            time.sleep(_PAUSE_SECONDS)
        self._postmaster.stop()
        # In this order: whoever becomes a user from now on finds no server, and no supervisor that could be mistaken
        # for one that still cares.
        os.close(self._lock)
        os.close(self._users)

    def _is_unused(self) -> bool:
        """Whether nobody used the server for a moment. Then the lock stays taken: users to come wait for the end."""
        if not try_exclusive(self._users):
            self._unused_since = None
            return False
        now = time.monotonic()
        self._unused_since = self._unused_since or now
        if now - self._unused_since >= self._layout.unused_seconds:
            return True
        release(self._users)
        return False

    def _restart(self) -> bool:
        now = time.monotonic()
        self._restarts = [at for at in self._restarts if now - at < _RESTARTS_SECONDS]
        if len(self._restarts) >= _RESTARTS_ALLOWED:
            _log("PostgreSQL ends again and again: giving up")
            return False
        time.sleep(_PAUSE_SECONDS * len(self._restarts))
        self._restarts.append(now)
        _log("PostgreSQL has ended: starting it again")
        self._postmaster.stop()
        try:
            self._postmaster = _start(self._layout)
        except (CodyError, OSError) as error:
            _log(repr(error))
        return True


def _start(layout: Layout) -> Postmaster:
    place = prepare_place(layout, find_programs())
    clear_stale_server(place.database, place.socket)
    is_new = make_database_folder(place)
    postmaster = Postmaster(place)
    postmaster.start()
    if is_new and layout.options.get("fsync") != "off":
        postmaster.sync_files()
    return postmaster


def _take(lock: int) -> bool:
    """False when another supervisor is there. Programs that look whether one is there hold the lock for a moment."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while not try_exclusive(lock):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE_SECONDS / 10)
    return True


def _listen_to_signals() -> Stop:
    """Handlers, even where nothing is to be done: what is ignored stays ignored in the programs that we start."""
    stop = Stop()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.asked = True

    def carry_on(_number: int, _frame: FrameType | None) -> None:
        """A terminal's affairs are not ours."""

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, carry_on)
    signal.signal(signal.SIGHUP, carry_on)
    return stop


def _send_errors_to_log(layout: Layout) -> None:
    if layout.log.exists() and layout.log.stat().st_size > _LOG_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    log = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, _ERRORS)
    os.close(log)


def _log(line: str) -> None:
    sys.stderr.write(f"supervisor: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
