"""PostgreSQL as a child of the supervisor."""

import signal
import subprocess
import time

from cody_backends.postgres.embedded.isolation import entering
from cody_backends.postgres.embedded.layout import PORT, socket_file
from cody_backends.postgres.embedded.place import Place
from cody_backends.postgres.embedded.report import SERVER
from cody_backends.postgres.embedded.stale_server import clear_stale_server
from cody_jobs.errors import Unavailable

_PAUSE_SECONDS = 0.02
_STOP_SECONDS = 20.0
_LINES_SHOWN = 4
_READY_LINE = 7
"""Of postmaster.pid, counted from 0: there `pg_ctl` reads the state, too (src/include/utils/pidfile.h)."""

_OPTIONS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "io_method": "sync",  # no processes for reading ahead: this is a small database
    # Not in /dev/shm: containers have little of it, and what a killed server leaves there stays.
    "dynamic_shared_memory_type": "mmap",
    "max_parallel_workers_per_gather": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "min_wal_size": "48MB",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
    "client_connection_check_interval": "5s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # details quote rows
    "log_min_error_statement": "panic",  # statements may, too
}


class Postmaster:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._syncing: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it takes connections (after a crash: when the recovery is done). Raises `Unavailable` with its
        last words when it ends instead."""
        clear_stale_server(self._place.database, self._place.socket)
        said_before = self._place.log.stat().st_size if self._place.log.exists() else 0
        with self._place.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=entering(self._place.isolation),
                start_new_session=True,
            )
        while not self._is_ready(self._process.pid):
            if self._process.poll() is not None:
                raise Unavailable(SERVER, self._last_words(said_before))
            time.sleep(_PAUSE_SECONDS)

    def is_running(self) -> bool:
        """Whether it runs and can be reached."""
        if self._syncing is not None and self._syncing.poll() is not None:
            self._syncing = None
        running = self._process is not None and self._process.poll() is None
        return running and socket_file(self._place.socket).exists()

    def sync_files(self) -> None:
        """Write a new database's files through to the disk, beside the running server. (`initdb` could do so before it
        ends; on a busy disk that takes seconds, and all wait for them.)"""
        self._syncing = subprocess.Popen(
            [self._place.programs.initdb, "-D", self._place.database, "--sync-only"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=entering(self._place.isolation),
        )

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything is written."""
        if self._syncing is not None:
            self._syncing.wait()
        if self._process is None:
            return
        for step in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            self._process.send_signal(step)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def _command(self) -> list[str]:
        command = [str(self._place.programs.postgres), "-D", str(self._place.database), "-k", str(self._place.socket)]
        for name, value in {**_OPTIONS, **self._place.options}.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self._place.database / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _READY_LINE and lines[0] == str(pid) and lines[_READY_LINE].strip() == "ready"

    def _last_words(self, start: int) -> str:
        with self._place.log.open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        return f"it does not start: {' / '.join(lines[-_LINES_SHOWN:])} ({self._place.log})"
