"""Find out, once at the start, whether commands can be run in a sandbox here."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, structs

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_runtime.logs import get_logger
from cody_worker.sandbox.bubblewrap import Sandbox
from cody_worker.sandbox.command import CommandLimits, CommandResult, CommandRunner
from cody_worker.sandbox.supervisor.control_groups import may_make_groups
from cody_worker.sandbox.system_folders import find_folders, search_path
from cody_worker.sandbox.unsandboxed import Unsandboxed
from cody_worker.sandbox.walls import WORTH_TRYING
from cody_worker.sandbox.work_folder import WorkFolder

log = get_logger(__name__)

_TRIAL = CommandLimits(seconds=20)


_UBUNTU = (
    "Let bubblewrap make user namespaces: Ubuntu's AppArmor (apparmor_restrict_unprivileged_userns) restricts them"
)
_HINTS = (
    ("not installed", "Install it where workers run"),
    (
        "new namespace",
        "Let workers make user namespaces: in a container, by the engine's seccomp profile (no privileges are needed)",
    ),
    ("uid map", _UBUNTU),
    ("RTM_NEWADDR", _UBUNTU),
    ("slave", "Let workers mount in their own namespaces: AppArmor's profile for containers forbids it"),
)
"""By what bubblewrap says when it fails."""


class NoSandbox(Struct, frozen=True, kw_only=True):
    reason: str


async def find_sandbox(
    *, path: str, more: Sequence[str] = (), hidden: Sequence[str] = (), scratch: str | None = None
) -> Sandbox | NoSandbox:
    """Try a command in the sandbox. `path` is the worker's PATH, `more` are folders that commands may read, `hidden`
    ones that they must not see, and `scratch` is where work folders are made."""
    if sys.platform != "linux":
        return NoSandbox(reason="bubblewrap works on Linux alone")
    program = shutil.which("bwrap", path=path)
    if program is None:
        return NoSandbox(reason="bubblewrap (the program bwrap) is not installed")
    folders = find_folders(more=more, hidden=[*hidden, *([scratch] if scratch else [])])
    best = Sandbox(
        program=program,
        folders=folders,
        path=search_path(folders, path=path, more=more),
        prlimit=_visible_prlimit(),
    )
    found = await _with_most_walls(best, scratch)
    if isinstance(found, Sandbox):
        await _tell(found)
    return found


def choose_runner(
    found: Sandbox | NoSandbox, *, allow_unsandboxed: bool, path: str, more: Sequence[str] = ()
) -> CommandRunner:
    """Who runs a job's commands. Raises `JobFailed(sandbox_missing)`."""
    if isinstance(found, Sandbox):
        return found
    if not allow_unsandboxed:
        raise JobFailed(
            FailureCode.SANDBOX_MISSING,
            f"this job has commands, and the worker has no sandbox to run them in: {found.reason.rstrip('.')}. "
            f'{what_helps(found.reason)} (docs/runbook-aws.md, "Jobs with commands"), or set '
            "ALLOW_UNSANDBOXED_COMMANDS=true where every target repository and every client is trusted",
        )
    log.warning("commands_run_without_a_sandbox", reason=found.reason)
    return Unsandboxed(path=search_path(None, path=path, more=more))


def what_helps(reason: str) -> str:
    return next((hint for sign, hint in _HINTS if sign in reason), "Let workers run where bubblewrap works")


async def _with_most_walls(best: Sandbox, scratch: str | None) -> Sandbox | NoSandbox:
    reason = ""
    for walls in WORTH_TRYING:
        sandbox = structs.replace(best, walls=walls)
        reason = await _try(sandbox, scratch)
        if not reason:
            return sandbox
    return NoSandbox(reason=reason)


async def _tell(found: Sandbox) -> None:
    """Whoever reads the log is to know what does not hold here."""
    facts = structs.asdict(found.walls) | {"control_groups": await asyncio.to_thread(may_make_groups)}
    tell = log.info if found.walls.all_stand else log.warning
    tell("sandbox_found", **facts)


async def _try(sandbox: Sandbox, scratch: str | None) -> str:
    """Why it does not work; nothing when it does."""
    root = await asyncio.to_thread(lambda: Path(tempfile.mkdtemp(prefix="cody-sandbox-", dir=scratch)))
    try:
        folder = await asyncio.to_thread(WorkFolder.make, root)
        result = await sandbox.run(["true"], folder, _TRIAL)
    except JobFailed as error:
        return error.message
    finally:
        await asyncio.to_thread(shutil.rmtree, root)
    return "" if result.succeeded else _complaint(result)


def _complaint(result: CommandResult) -> str:
    return f"a trial ended with {result.reason} {result.exit_code}: {result.output.strip()[-300:]}"


def _visible_prlimit() -> str | None:
    return shutil.which("prlimit", path="/usr/bin:/bin")
