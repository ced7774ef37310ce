"""A server that an earlier supervisor left behind, or only the note of one that is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_STOP_SECONDS = 20.0
_PAUSE_SECONDS = 0.05


def clear_stale_server(database: Path) -> None:
    """Stop a server that still works on this folder; remove the note of a server whose number (by now) is somebody
    else's: PostgreSQL would not start beside any process of that number."""
    note = database / "postmaster.pid"
    pid = _noted_pid(note)
    if pid is None:
        return
    for step in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not _serves(pid, database):
            break
        _signal(pid, step)
        _wait_until_gone(pid, database)
    note.unlink(missing_ok=True)


def _noted_pid(note: Path) -> int | None:
    try:
        first = note.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]
    except FileNotFoundError:
        return None
    # A standalone backend notes its number as a negative one.
    return abs(int(first)) if first.strip().lstrip("-").isdigit() else 0


def _serves(pid: int, database: Path) -> bool:
    """Whether this process is the server of this folder (and not a stranger that got its number)."""
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


def _wait_until_gone(pid: int, database: Path) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline and _serves(pid, database):
        time.sleep(_PAUSE_SECONDS)
