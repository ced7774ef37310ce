"""What the children of the fork server tests do; imported by the server, found through PYTHONPATH."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def act(argument: bytes, fds: list[int]) -> int:
    """The argument is "verb value"; a child that lives says on its first descriptor that it has begun."""
    verb, _, value = argument.decode().partition(" ")
    if verb == "exit":
        return int(value)
    if verb == "leave":
        sys.exit(int(value) if value.isdigit() else value)
    if verb == "raise":
        raise RuntimeError(value)
    if verb == "describe":
        os.write(fds[0], json.dumps(_describe()).encode())
        return 0
    if verb == "echo":
        os.write(fds[0], value.encode() + os.read(fds[1], 100))
        return 0
    if verb == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if fds:
        os.write(fds[0], b"begun")
    time.sleep(60)
    return 0


def _describe() -> dict[str, object]:
    return {
        "session": os.getsid(0) == os.getpid(),
        "group": os.getpgid(0) == os.getpid(),
        "terminate": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "interrupt": signal.getsignal(signal.SIGINT) == signal.default_int_handler,
        "child": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "descriptors": len([*Path("/proc/self/fd").iterdir()]) if sys.platform == "linux" else 0,
        "environment": {name: os.environ.get(name) for name in ("GIVEN", "FROM_SERVER")},
        "stdin": str(Path("/proc/self/fd/0").readlink()) if sys.platform == "linux" else os.devnull,
    }
