"""Where everything of the embedded server is."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

PORT = 5432
USER = "cody"
DATABASE = "postgres"

_SOCKET_PATH_BYTES = 100
"""A Unix socket's path has room for 107 bytes on Linux, 103 on macOS."""


class Isolation(StrEnum):
    """How PostgreSQL, which refuses to run as root, is run by root. `NONE` for everybody else."""

    NONE = "none"
    USER_NAMESPACE = "user-namespace"
    UNPRIVILEGED_USER = "unprivileged-user"


class Layout(Struct, frozen=True, kw_only=True):
    """`data` is CODY_DATA. With `Isolation.UNPRIVILEGED_USER` database, socket and (where needed) a copy of the
    programs are below `shelter`, and links in `data` lead there. `isolation` None: what works on this machine.
    The server outlives its last user by `unused_seconds`: commands often come one after the other.
    `options` are further settings of the server (tests do without `fsync`)."""

    data: str
    shelter: str = "/var/lib/cody-batch"
    isolation: Isolation | None = None
    unused_seconds: float = 1.0
    options: Mapping[str, str] = {}

    @property
    def folder(self) -> Path:
        return Path(self.data)

    @property
    def database(self) -> Path:
        return self.folder / "postgres"

    @property
    def socket(self) -> Path:
        """A folder, or a link to it."""
        return self.folder / "socket"

    @property
    def supervisor_lock(self) -> Path:
        return self.folder / "supervisor.lock"

    @property
    def users_lock(self) -> Path:
        return self.folder / "users.lock"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def key(self) -> str:
        """Stands for this data folder in a folder that is shared with others."""
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]

    @property
    def shelter_folder(self) -> Path:
        return Path(self.shelter) / self.key


def socket_file(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


def is_short_enough(folder: Path) -> bool:
    return len(os.fsencode(socket_file(folder))) <= _SOCKET_PATH_BYTES


def short_folder(layout: Layout) -> Path:
    """A folder of this user below the temp folder, for a data folder whose own path is too long for a socket."""
    name = Path(f"cody-batch-{os.geteuid()}") / layout.key
    bases = (Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108 (ownership is checked)
    return next((base / name for base in bases if is_short_enough(base / name)), bases[-1] / name)
