"""The programs of one machine as child processes: started, restarted when they die, stopped in order.

    async with running_stack(plan, say=print) as stack:
        await stack.wait_until_ready()

Each child gets the read end of a pipe whose write end is ours alone (`CODY_PARENT_PIPE`): however we end, it ends.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from cody_cli.bare_errors import bare_errors
from cody_cli.data_folder import DataFolder, Serving
from cody_cli.failures import CommandFailed
from cody_cli.readiness import wait_until_ready
from cody_jobs.ports.compute import EXIT_FAILED
from cody_runtime.environment import WORKER_CREDENTIALS, without_credentials
from cody_runtime.shutdown import PARENT_PIPE

Say = Callable[[str], None]

PROGRAMS: Mapping[str, frozenset[str]] = {"api": frozenset(), "dispatcher": WORKER_CREDENTIALS}
"""In the order in which they are started and stopped: without the API nothing new comes in. Each gets the credentials
of our environment that are its own, and no other: the dispatcher hands to its workers what they may have."""

_GRACE_SECONDS = 25.0
_SILENT_SECONDS = 2.0
_QUICK_SECONDS = 10.0
_QUICK_ENDS_ALLOWED = 5
_LONGEST_PAUSE = 30.0
_WAITING = "waiting for the {} to end: its workers finish what they are asking Claude (Ctrl-C ends everything at once)"


class StackPlan(Struct, frozen=True, kw_only=True):
    """What to start: the children's whole environment, where the API will serve, and where their logs go
    (None: to our own standard error)."""

    environment: Mapping[str, str]
    url: str
    log_file: Path | None = None


class StackFailed(CommandFailed):
    """A program cannot run: a setting is wrong, or it ends again and again."""


@asynccontextmanager
async def running_stack(plan: StackPlan, *, say: Say) -> AsyncGenerator["Stack"]:
    """Run all programs while the block runs; only one stack per CODY_DATA (`AlreadyRunning`).

    The block is cancelled, and `StackFailed` raised, as soon as a program turns out to be unable to run.
    """
    data = DataFolder(plan.environment)
    with data.lock():
        _begin_log(plan.log_file)
        stack = Stack(plan, say)
        root = plan.environment.get("REPOSITORIES_ROOT")
        data.write_serving(Serving(url=plan.url, pid=os.getpid(), repositories_root=root))
        try:
            with bare_errors():
                async with asyncio.TaskGroup() as group:
                    keepers = [group.create_task(stack.keep(name), name=f"keep-{name}") for name in PROGRAMS]
                    try:
                        yield stack
                    finally:
                        await stack.stop(keepers)
        finally:
            data.forget_serving()


class Stack:
    """The running programs. Made by `running_stack`."""

    def __init__(self, plan: StackPlan, say: Say) -> None:
        self.url = plan.url
        self._plan = plan
        self._say = say
        self._children: dict[str, _Child] = {}
        self._restarted: set[str] = set()

    async def wait_until_ready(self) -> None:
        """Return when the API says that it and everything it needs answers; say what is waited for meanwhile."""
        await wait_until_ready(self.url, say=self._say)

    def pids(self) -> dict[str, int]:
        """Process ids of the programs that run now, by name."""
        return {name: child.process.pid for name, child in self._children.items() if child.running}

    def kill(self) -> None:
        """End everything at once, with nothing put away."""
        for child in self._children.values():
            child.signal(signal.SIGKILL)

    async def keep(self, name: str) -> None:
        """Run one program, and again whenever it ends."""
        clock = asyncio.get_running_loop().time
        quick_ends = 0
        while True:
            started = clock()
            code = await self._run(name)
            quick_ends = quick_ends + 1 if clock() - started < _QUICK_SECONDS else 0
            self._check_hope(name, code, quick_ends)
            pause = min(_LONGEST_PAUSE, 0.5 * 2**quick_ends)
            self._say(f"{name} {_how_it_ended(code)}; it starts again in {pause:g} s")
            await asyncio.sleep(pause)

    async def stop(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        """SIGTERM to one program after the other, and SIGKILL for what does not end in its time."""
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        for name in PROGRAMS:
            if name in self._children:
                await self._stop(name, self._children[name])

    async def _run(self, name: str) -> int:
        child = self._children[name] = await _start(name, self._plan)
        # When this wait is cancelled the child stays in the list, for `stop`.
        code = await child.process.wait()
        child.let_go()
        return code

    async def _stop(self, name: str, child: "_Child") -> None:
        child.signal(signal.SIGTERM)
        patience = asyncio.get_running_loop().call_later(_SILENT_SECONDS, self._say, _WAITING.format(name))
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await child.process.wait()
        except TimeoutError:
            self._say(f"{name} did not end within {_GRACE_SECONDS:g} s and was killed")
            child.signal(signal.SIGKILL)
            await child.process.wait()
        finally:
            patience.cancel()
        child.let_go()

    def _check_hope(self, name: str, code: int, quick_ends: int) -> None:
        """Exit code 1 says "never", and right after the first start that means a setting: no restart can help."""
        hopeless = code == EXIT_FAILED and quick_ends == 1 and name not in self._restarted
        self._restarted.add(name)
        if hopeless or quick_ends >= _QUICK_ENDS_ALLOWED:
            raise StackFailed(f"{name} {_how_it_ended(code)}{_last_lines(self._plan.log_file)}")


class _Child:
    """A program in a process group of its own (Ctrl-C reaches us alone) and the pipe that ends with us."""

    def __init__(self, process: asyncio.subprocess.Process, write_end: int) -> None:
        self.process = process
        self._write_end: int | None = write_end

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def let_go(self) -> None:
        if self._write_end is not None:
            os.close(self._write_end)
            self._write_end = None


async def _start(name: str, plan: StackPlan) -> _Child:
    read_end, write_end = os.pipe()
    try:
        with _output(plan.log_file) as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a file in the present folder must not pass for a module
                "-m",
                f"cody_{name}",
                env={
                    **without_credentials(plan.environment, keep=PROGRAMS[name]),
                    PARENT_PIPE: str(read_end),
                    "PYTHONSAFEPATH": "1",
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(read_end,),
                start_new_session=True,
            )
    except BaseException:
        os.close(write_end)
        raise
    finally:
        os.close(read_end)
    return _Child(process, write_end)


@contextmanager
def _output(log_file: Path | None) -> Generator[int]:
    """Standard output stays free for results: programs write to standard error or to the log file."""
    if log_file is None:
        yield sys.stderr.fileno()
        return
    with log_file.open("ab") as file:
        yield file.fileno()


def _begin_log(log_file: Path | None) -> None:
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.write_bytes(b"")


def _last_lines(log_file: Path | None) -> str:
    if log_file is None:
        return " (its last lines are above)"
    lines = log_file.read_text(errors="replace").strip().splitlines()[-5:]
    return ":" + "".join(f"\n    {line}" for line in lines)


def _how_it_ended(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
