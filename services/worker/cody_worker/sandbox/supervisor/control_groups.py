"""Control groups with a hard limit on the processes and the memory of a command with all that it starts.

Where none can be made (for ordinary users, and in most containers), limits are kept by those that the kernel has for
single processes, and by the supervisor, who looks every 50 ms.
"""

import contextlib
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from cody_worker.sandbox.supervisor.order import Limits

_HARD = 2
"""The kernel's limits are that much above those at which we end a command: who meets them is not to hang on there."""

_GROUPS = Path("/sys/fs/cgroup")
_CONTROLLERS = {"pids": ("pids.max",), "memory": ("memory.max", "memory.limit_in_bytes")}


@contextlib.contextmanager
def control_groups(limits: Limits) -> Generator[list[Path]]:
    """Those that we may make; for root there is no other limit on processes, as the kernel excuses it from
    RLIMIT_NPROC."""
    groups: list[Path] = []
    for controller, names in _CONTROLLERS.items():
        value = limits["processes"] if controller == "pids" else limits["memory_bytes"]
        group = _make_group(controller, names, _HARD * value)
        groups += [group] if group is not None else []
    yield groups
    for group in groups:
        with contextlib.suppress(OSError):
            group.rmdir()


def may_make_groups() -> bool:
    return all(any(os.access(parent, os.W_OK) for parent in _parents_of_groups(name)) for name in _CONTROLLERS)


def _make_group(controller: str, names: Sequence[str], value: int) -> Path | None:
    for parent in _parents_of_groups(controller):
        group = parent / f"cody-{controller}-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        _remove_left_groups(parent, controller)
        for name in names:
            with contextlib.suppress(OSError):
                (group / name).write_text(str(value))
                return group
        group.rmdir()
    return None


def _remove_left_groups(parent: Path, controller: str) -> None:
    """Those of supervisors that were killed."""
    for group in parent.glob(f"cody-{controller}-*"):
        if not Path("/proc", group.name.rpartition("-")[2]).exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def _parents_of_groups(controller: str) -> Iterator[Path]:
    """Our own group first, then those above it, in which groups may be made. Both versions of control groups."""
    if sys.platform != "linux" or not os.access(_GROUPS, os.X_OK):
        return
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        root = _GROUPS / controller if controller in controllers.split(",") else _GROUPS
        if controllers and root == _GROUPS:
            continue
        own = root / path.lstrip("/")
        yield from (parent for parent in (own, *own.parents) if parent == root or root in parent.parents)
