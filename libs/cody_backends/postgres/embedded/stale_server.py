"""A server that an earlier supervisor left behind, or only the traces of one that is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cody_backends.postgres.embedded.layout import socket_file

_STOP_SECONDS = 20.0
_PAUSE_SECONDS = 0.05


def clear_stale_server(database: Path, socket: Path) -> None:
    """Stop a server that still works on this folder, and remove the notes of its process number: PostgreSQL would not
    start beside any living process of that number, and by now that may be somebody else's.

    Only a process that the folder's own note names and that surely is its server is ever sent a signal.
    """
    note = database / "postmaster.pid"
    pid = _noted_pid(note)
    for step in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not _serves(pid, database):
            break
        _signal(pid, step)
        _wait_while(lambda: _serves(pid, database))
    # Sessions of a server that was killed end by themselves; a new server does not start beside them.
    _wait_while(lambda: _servers(database) != [])
    file = socket_file(socket)
    for trace in (note, file, file.with_name(f"{file.name}.lock")):
        trace.unlink(missing_ok=True)


def _noted_pid(note: Path) -> int:
    """0 when there is none. A standalone server notes its number as a negative one."""
    try:
        first = note.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].strip().lstrip("-")
    except FileNotFoundError:
        return 0
    return int(first) if first.isdigit() else 0


def _servers(database: Path) -> list[int]:
    if sys.platform != "linux":
        return []
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [number for number in numbers if _serves(number, database)]


def _serves(pid: int, database: Path) -> bool:
    """Whether this process is a server of this folder (and not a stranger that got its number)."""
    if pid <= 1 or pid == os.getpid():
        return False
    if sys.platform == "linux":
        return _serves_on_linux(pid, database)
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False).stdout
    return "postgres" in shown and str(database) in shown


def _serves_on_linux(pid: int, database: Path) -> bool:
    process = Path("/proc", str(pid))
    try:
        named = (process / "comm").read_text(encoding="utf-8", errors="replace").strip() == "postgres"
        return named and (process / "cwd").samefile(database)
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_while(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline and fact():
        time.sleep(_PAUSE_SECONDS)
