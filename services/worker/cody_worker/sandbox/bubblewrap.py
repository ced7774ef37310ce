"""The sandbox: bubblewrap's argv for one command.

Not covered: the kernel's own system calls (there is no seccomp filter), and memory that no process maps (files of
memfd_create), which the container's limit bounds, and the kernel takes these processes first.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from cody_worker.sandbox.command import CommandLimits, CommandResult, EndReason
from cody_worker.sandbox.supervised import Order, run_supervised
from cody_worker.sandbox.supervisor.order import STATUS_FD
from cody_worker.sandbox.system_folders import SystemFolders
from cody_worker.sandbox.walls import Walls
from cody_worker.sandbox.work_folder import ETC_FILES, HOME, USER, WorkFolder

TREE = "/workspace"
_TEMPORARY, _SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108 (the sandbox's own)
_ISOLATION = (
    "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
    "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", str(USER), "--gid", str(USER),
)  # fmt: skip


class Sandbox(Struct, frozen=True, kw_only=True):
    """A `CommandRunner`. No network, a read-only system, processes and users of its own; `path` is its PATH, `walls`
    are those that not every machine allows. `prlimit` bounds the processes, where there is such a program."""

    program: str
    folders: SystemFolders
    path: str
    walls: Walls = Walls()
    prlimit: str | None = None

    async def run(
        self,
        argv: Sequence[str],
        folder: WorkFolder,
        limits: CommandLimits,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        if (missing := not_found(argv, self.path)) is not None:
            return missing
        order = Order(
            argv=[*self._around(folder), *self._bound(limits), *argv],
            environment=clean_environment(self.path, home=HOME, temporary=_TEMPORARY, more=environment),
            folder="/",
            sandboxed=True,
        )
        return await run_supervised(order, limits, argv)

    def tree_in_output(self, folder: WorkFolder) -> str:
        del folder
        return TREE

    def _around(self, folder: WorkFolder) -> Sequence[str]:
        """Root, /dev and /etc live in memory: they are read-only in the end, so that nobody fills them."""
        return [
            self.program, *_ISOLATION, *self.walls.options(), *self.walls.proc(),
            "--dev", "/dev", "--bind", str(folder.shared_memory), _SHARED_MEMORY,
            "--remount-ro", "/dev",
            "--bind", str(folder.temporary), _TEMPORARY, "--bind", str(folder.home), HOME,
            *_shown(self.folders), *_etc(folder), "--bind", str(folder.tree), TREE,
            "--remount-ro", "/", "--chdir", TREE, "--json-status-fd", str(STATUS_FD), "--",
        ]  # fmt: skip

    def _bound(self, limits: CommandLimits) -> Sequence[str]:
        """Set inside, where only the sandbox's own processes count. Twice what is allowed: who meets it is not to hang
        on there, but to be ended for it."""
        return [self.prlimit, f"--nproc={2 * limits.processes}", "--"] if self.prlimit else []


def clean_environment(
    path: str, *, home: str, temporary: str, more: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """All that a command is told; nothing of the worker's is passed on."""
    return {"PATH": path, "HOME": home, "LANG": "C.UTF-8", "TMPDIR": temporary, "CI": "1", **(more or {})}


def not_found(argv: Sequence[str], path: str) -> CommandResult | None:
    """The result of a command whose program is nowhere on the PATH."""
    if "/" in argv[0] or shutil.which(argv[0], path=path) is not None:
        return None
    output = f"{argv[0]}: there is no such program for commands; PATH is {path}"
    return CommandResult(
        argv=tuple(argv), exit_code=127, seconds=0.0, output=output, truncated=False, reason=EndReason.NOT_FOUND
    )


def _shown(folders: SystemFolders) -> Sequence[str]:
    shown = [part for path in folders.shown for part in ("--ro-bind", path, path)]
    links = [part for target, link in folders.links for part in ("--symlink", target, link)]
    return [*shown, *links, *(part for path in folders.hidden for part in _emptied(path))]


def _emptied(path: str) -> Sequence[str]:
    return ["--tmpfs", path, "--remount-ro", path] if Path(path).is_dir() else ["--ro-bind", "/dev/null", path]


def _etc(folder: WorkFolder) -> Sequence[str]:
    return [part for name in ETC_FILES for part in ("--ro-bind", str(folder.etc / name), f"/etc/{name}")]
