"""Give waiting jobs a process while there is room, and see them to their end."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from cody_stand_ins.batch.jobs import ENDED, HOST, Attempt, Status, Unit, now
from cody_stand_ins.batch.logs import Logs
from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.stats import RunningJob

Tell = Callable[[Callable[[], Mapping[str, Any]]], None]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
_LAST_WORDS_SECONDS = 0.5
_READ_BYTES = 65_536


class Runner:
    """First in, first out, as a job queue without a scheduling policy. `room` is in vCPUs."""

    def __init__(self, options: Options, logs: Logs, tell: Tell, room: Callable[[], float]) -> None:
        self._options = options
        self._logs = logs
        self._tell = tell
        self._room = room
        self._waiting: deque[Unit] = deque()
        self._at_work: dict[asyncio.Task[None], Unit] = {}
        self._used = 0.0
        self.grace = options.grace
        self.started = 0
        self.most_at_once = 0
        self.lost = 0

    def add(self, unit: Unit) -> None:
        self._set(unit, Status.RUNNABLE)
        self._waiting.append(unit)

    def fill(self) -> None:
        """Start what there is room for."""
        while self._waiting:
            unit = self._waiting[0]
            if not unit.ended and self._used + unit.job.plan.vcpus > self._room():
                return
            self._waiting.popleft()
            if not unit.ended:
                self._begin(unit)

    def terminate(self, unit: Unit, reason: str) -> None:
        """SIGTERM, then SIGKILL after the grace; what has no process ends at once."""
        if unit.ended or unit.stopping:
            return
        unit.stopping = reason
        if unit.pid:
            self._signal_then_kill(unit)
        elif unit.status is not Status.STARTING:
            self._end(unit, Status.FAILED, reason)

    def lose(self, unit: Unit) -> bool:
        """End its process as a host ends that loses power; False when it has none."""
        if not unit.pid:
            return False
        unit.lost = True
        self.lost += 1
        _kill(unit.pid, signal.SIGKILL)
        return True

    def running(self) -> tuple[RunningJob, ...]:
        return tuple(
            RunningJob(job_id=unit.id, job_name=unit.job.plan.name, attempt=len(unit.attempts), pid=unit.pid)
            for unit in self._at_work.values()
            if unit.pid
        )

    async def aclose(self) -> None:
        self._waiting.clear()
        tasks = list(self._at_work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, unit: Unit) -> None:
        self._used += unit.job.plan.vcpus
        self._set(unit, Status.STARTING)
        task = asyncio.create_task(self._run(unit), name=f"job {unit.id}")
        self._at_work[task] = unit
        self.started += 1
        self.most_at_once = max(self.most_at_once, len(self._at_work))
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        unit = self._at_work.pop(task)
        self._used -= unit.job.plan.vcpus
        if not task.cancelled():
            self.fill()

    async def _run(self, unit: Unit) -> None:
        stream = f"{unit.job.plan.definition['jobDefinitionName']}/default/{uuid.uuid4().hex}"
        attempt = Attempt(log_stream=stream, started_at=now())
        unit.attempts.append(attempt)
        process = await self._spawn(unit)
        try:
            reading = asyncio.create_task(self._read(unit, stream, process), name=f"output of {unit.id}")
            unit.pid = process.pid
            self._set(unit, Status.RUNNING)
            if unit.stopping:
                self._signal_then_kill(unit)
            timed_out = await self._wait(unit, process)
            await asyncio.wait([reading], timeout=_LAST_WORDS_SECONDS)
            reading.cancel()
        finally:
            unit.pid = None
            # What the container started is gone with it.
            _kill(process.pid, signal.SIGKILL)
        self._note_end(unit, attempt, process.returncode, timed_out=timed_out)

    async def _spawn(self, unit: Unit) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *self._options.entrypoint,
            *unit.job.plan.command,
            env=self._environment(unit),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def _environment(self, unit: Unit) -> dict[str, str]:
        plan = unit.job.plan
        given = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        batch = {
            "AWS_BATCH_JOB_ID": unit.id,
            "AWS_BATCH_JOB_ATTEMPT": str(len(unit.attempts)),
            "AWS_BATCH_JQ_NAME": str(plan.queue["jobQueueName"]),
            "AWS_BATCH_CE_NAME": plan.environment_name,
        }
        if unit.index is not None and self._options.array_index:
            batch["AWS_BATCH_JOB_ARRAY_INDEX"] = str(unit.index)
        return {**given, **self._options.environment, **plan.environment, **batch}

    async def _wait(self, unit: Unit, process: asyncio.subprocess.Process) -> bool:
        """Until the process has ended; True when its time was over."""
        try:
            async with asyncio.timeout(unit.job.plan.timeout):
                await process.wait()
        except TimeoutError:
            self._signal_then_kill(unit)
            await process.wait()
            return True
        return False

    async def _read(self, unit: Unit, stream: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        rest = b""
        try:
            while data := await process.stdout.read(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._logs.add(unit.job.plan.log_group, stream, line.decode(errors="replace"))
        finally:
            if rest:
                self._logs.add(unit.job.plan.log_group, stream, rest.decode(errors="replace"))

    def _note_end(self, unit: Unit, attempt: Attempt, code: int | None, *, timed_out: bool) -> None:
        assert code is not None
        attempt.stopped_at = now()
        attempt.status_reason = "Essential container in task exited"
        if unit.lost:
            unit.lost = False
            attempt.status_reason = f"Host EC2 (instance {HOST}) terminated."
        else:
            attempt.exit_code = 128 - code if code < 0 else code
        if unit.stopping:
            self._end(unit, Status.FAILED, unit.stopping)
        elif timed_out:
            self._end(unit, Status.FAILED, "Job attempt duration exceeded timeout")
        elif attempt.exit_code == 0:
            self._end(unit, Status.SUCCEEDED, attempt.status_reason)
        elif _tries_again(unit, attempt):
            self.add(unit)
        else:
            self._end(unit, Status.FAILED, attempt.status_reason)

    def _end(self, unit: Unit, status: Status, reason: str | None) -> None:
        unit.status_reason = reason
        self._set(unit, status)

    def _set(self, unit: Unit, status: Status) -> None:
        unit.job.move(unit, status)
        self._tell(unit.told)
        if unit.ended and unit.job.size and unit.job.status in ENDED:
            self._tell(unit.job.told)

    def _signal_then_kill(self, unit: Unit) -> None:
        """The signal is the container's first process's; SIGKILL is everybody's."""
        pid = unit.pid
        assert pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        asyncio.get_running_loop().call_later(self.grace, self._kill_if_same, unit, pid)

    def _kill_if_same(self, unit: Unit, pid: int) -> None:
        if unit.pid == pid:
            _kill(pid, signal.SIGKILL)


def _tries_again(unit: Unit, attempt: Attempt) -> bool:
    return unit.job.plan.retry.tries_again(
        len(unit.attempts),
        exit_code=attempt.exit_code,
        status_reason=attempt.status_reason,
        reason=attempt.reason,
    )


def _kill(group: int, number: int) -> None:
    """The process and all that it started in its session's first group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
