"""What a supervisor is told, and what it tells."""

import os
from typing import TypedDict

STATUS_FD = 3
"""Where bubblewrap tells whether it could start the command."""

EXITED, STOPPED = "exited", "stopped"


class Limits(TypedDict):
    seconds: float
    cpu_seconds: float
    memory_bytes: int
    processes: int
    file_bytes: int
    open_files: int
    free_disk_bytes: int


class Order(TypedDict):
    """`sandboxed`: `argv` runs bubblewrap, with its status on `STATUS_FD`. `folder` is where it starts."""

    argv: list[str]
    environment: dict[str, str]
    folder: str
    sandboxed: bool
    limits: Limits


class Report(TypedDict):
    """`reason` is `EXITED`, `STOPPED`, or a limit's name in `EndReason`; `started` is false where bubblewrap failed."""

    exit_code: int | None
    reason: str
    started: bool
    seconds: float


def read_line() -> bytes:
    """Of standard input, and not a byte more: its end is waited for later."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            raise SystemExit("standard input ended before an order came")
        line += part
    return bytes(line)
