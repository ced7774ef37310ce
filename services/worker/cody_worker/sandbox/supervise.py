"""The process between the worker and a command: starts it with limits, watches it with all that it starts, and leaves
nothing of it behind, neither when it ends nor when the worker does.

Run as `python -I -S supervise.py`, on the standard library alone, so that it starts in milliseconds and holds nothing
of the worker's. Standard input: an `Order` as one line of JSON; its end means stop. Standard output is the command's.
Standard error: a `Report` as JSON.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn, TypedDict, cast

STATUS_FD = 3
"""Where bubblewrap tells whether it could start the command."""

EXITED, STOPPED = "exited", "stopped"

_POLL_SECONDS = 0.05
_HARD = 2
"""The kernel's limits are that much above those at which we end a command: who meets them is not to hang on there."""

_GROUPS = Path("/sys/fs/cgroup")
_CONTROLLERS = {"pids": ("pids.max",), "memory": ("memory.max", "memory.limit_in_bytes")}
_NICE = 10
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"


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


class Usage(NamedTuple):
    threads: int
    cpu_seconds: float
    memory_bytes: int


class _Process(NamedTuple):
    pid: int
    parent: int
    is_zombie: bool
    threads: int
    ticks: int
    pages: int


def main() -> int:
    order = cast("Order", json.loads(_read_line()))
    report = _Supervisor(order).run()
    sys.stderr.write(json.dumps(report) + "\n")
    return 0


class _Supervisor:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._limits = order["limits"]
        self._began = time.monotonic()
        self._status, self._status_end = os.pipe()
        self._pid = 0
        self._groups: list[Path] = []

    def run(self) -> Report:
        with _control_groups(self._limits) as self._groups, _woken_by_children() as wake:
            _adopt_orphans()
            _come_first()
            self._pid = self._start()
            os.close(self._status_end)
            reason = self._watch(wake)
            exit_code = self._end_everything()
        return Report(
            exit_code=exit_code if reason == EXITED else None,
            reason=reason,
            started=not self._order["sandboxed"] or b"exit-code" in os.read(self._status, 4096) or reason != EXITED,
            seconds=round(time.monotonic() - self._began, 3),
        )

    def _start(self) -> int:
        pid = os.fork()
        if pid == 0:
            _become_command(self._order, self._status_end, self._groups)
        return pid

    def _watch(self, wake: socket.socket) -> str:
        """Wait for the command's end, or for a reason to end it. The command is not reaped, so that its id stays its
        own."""
        while not os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            reason = self._limit_that_is_hit()
            if reason is not None:
                return reason
            ready, _, _ = select.select([0, wake], [], [], _POLL_SECONDS)
            if 0 in ready:
                return STOPPED
            if wake in ready:
                wake.recv(4096)
        return EXITED

    def _limit_that_is_hit(self) -> str | None:
        limits = self._limits
        if time.monotonic() - self._began > limits["seconds"]:
            return "time_limit"
        if _free_bytes(self._order["folder"]) < limits["free_disk_bytes"]:
            return "disk_limit"
        usage = _usage(_reap_orphans(_descendants(), but=self._pid), limits["memory_bytes"])
        if usage.threads > limits["processes"]:
            return "process_limit"
        if usage.memory_bytes > limits["memory_bytes"]:
            return "memory_limit"
        return "cpu_limit" if usage.cpu_seconds > limits["cpu_seconds"] else None

    def _end_everything(self) -> int:
        """Kill the command's group at once, then whoever has left it, generation by generation: a killed process's
        children become ours. Only our own children are killed by id, for nobody but us reaps them."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        while orphans := [process.pid for process in _processes() if process.parent == os.getpid()]:
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
            for pid in orphans:
                os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def _become_command(order: Order, status: int, groups: list[Path]) -> NoReturn:
    try:
        for group in groups:
            (group / "cgroup.procs").write_text("0")
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(1, 2)
        if order["sandboxed"]:
            os.dup2(status, STATUS_FD)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _die_with_supervisor()
        _limit_what_the_kernel_can(order["limits"])
        os.umask(0o022)
        os.chdir(order["folder"])
        os.execvpe(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 (that is what it is for)
    except OSError as error:
        os.write(1, f"{order['argv'][0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _limit_what_the_kernel_can(limits: Limits) -> None:
    """Memory by RLIMIT_DATA and not by RLIMIT_AS: JVMs, Node and Go reserve far more address space than they use."""
    cpu = int(limits["cpu_seconds"]) + 1
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_DATA, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
    ):
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))
    os.nice(_NICE)
    if _LINUX:
        with contextlib.suppress(OSError):  # the kernel is to take these before the worker
            Path("/proc/self/oom_score_adj").write_text("1000")


@contextlib.contextmanager
def _control_groups(limits: Limits) -> Generator[list[Path]]:
    """Groups with a hard limit on processes and memory, where we may make some: for root there is no other, as the
    kernel excuses it from RLIMIT_NPROC."""
    groups: list[Path] = []
    for controller, names in _CONTROLLERS.items():
        value = limits["processes"] if controller == "pids" else limits["memory_bytes"]
        group = _make_group(controller, names, _HARD * value)
        groups += [group] if group is not None else []
    yield groups
    for group in groups:
        with contextlib.suppress(OSError):
            group.rmdir()


def _make_group(controller: str, names: tuple[str, ...], value: int) -> Path | None:
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
    if not _LINUX or not os.access(_GROUPS, os.X_OK):
        return
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        root = _GROUPS / controller if controller in controllers.split(",") else _GROUPS
        if controllers and root == _GROUPS:
            continue
        own = root / path.lstrip("/")
        yield from (parent for parent in (own, *own.parents) if parent == root or root in parent.parents)


def _come_first() -> None:
    """Before a thousand busy processes, which would otherwise keep us from ending them. Only root may."""
    if _LINUX:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def _die_with_supervisor() -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _adopt_orphans() -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def _woken_by_children() -> Generator[socket.socket]:
    wake, waker = socket.socketpair()
    waker.settimeout(0)
    with wake, waker:
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        yield wake
        signal.set_wakeup_fd(-1)


def _read_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            raise SystemExit("standard input ended before an order came")
        line += part
    return bytes(line)


def _free_bytes(folder: str) -> int:
    with contextlib.suppress(OSError):
        facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize
    return sys.maxsize


def _reap_orphans(processes: list[_Process], *, but: int) -> list[_Process]:
    for process in processes:
        if process.is_zombie and process.parent == os.getpid() and process.pid != but:
            os.waitpid(process.pid, os.WNOHANG)
    return [process for process in processes if not process.is_zombie]


def _usage(processes: list[_Process], much_memory: int) -> Usage:
    """Resident memory counts shared pages for each process; it is looked at closely where that would be too much."""
    memory = sum(process.pages for process in processes) * resource.getpagesize()
    if memory > much_memory:
        memory = sum(_proportional_bytes(process) for process in processes)
    ticks = sum(process.ticks for process in processes)
    return Usage(sum(process.threads for process in processes), ticks / os.sysconf("SC_CLK_TCK"), memory)


def _proportional_bytes(process: _Process) -> int:
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return 1024 * int(text.split("\nPss:", 1)[1].split(None, 1)[0])
    except (OSError, IndexError, ValueError):
        return process.pages * resource.getpagesize()


def _descendants() -> list[_Process]:
    below: defaultdict[int, list[_Process]] = defaultdict(list)
    for process in _processes():
        below[process.parent].append(process)
    found: list[_Process] = []
    stack = [os.getpid()]
    while stack:
        children = below[stack.pop()]
        found += children
        stack += [child.pid for child in children]
    return found


def _processes() -> Iterator[_Process]:
    if not _LINUX:
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 (names alone, and quickly)
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                yield _process(int(name), Path(f"/proc/{name}/stat").read_bytes())


def _process(pid: int, stat: bytes) -> _Process:
    """Fields as in proc(5), which counts the first one after the name as number 3."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    ticks = sum(int(field) for field in fields[11:15])
    return _Process(pid, int(fields[1]), fields[0] in {b"Z", b"X"}, int(fields[17]), ticks, max(0, int(fields[21])))


if __name__ == "__main__":
    sys.exit(main())
