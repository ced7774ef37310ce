"""Compute on forked children. They get the arguments and the environment that a container of AWS Batch gets."""

import asyncio
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from cody_backends.processes.child import ChildProgram
from cody_backends.processes.compute_job import ComputeJob, ComputeShard
from cody_backends.processes.ownership import Owner, own_compute, owner_lives
from cody_backends.processes.waiting_shards import WaitingShards
from cody_backends.processes.worker_output import Forward, WorkerOutput
from cody_jobs.errors import Unavailable
from cody_jobs.ports.compute import ComputeRequest, ShardReport, ShardState
from cody_runtime.fork_server import ForkedProcess, ForkServer

_ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
_UNKNOWN = ShardReport(state=ShardState.UNKNOWN, exit_code=None, reason=None)
_SOMEBODY_ELSES = ShardReport(state=ShardState.RUNNING, exit_code=None, reason="started by another process")


class WorkerProgram(Struct, frozen=True, kw_only=True):
    """`entry` is "module:function"; it and the modules of `preload` are imported once, before any worker is wanted.
    `environment` is what every worker gets."""

    entry: str
    preload: tuple[str, ...]
    environment: Mapping[str, str]


class Bounds(Struct, frozen=True, kw_only=True):
    """`grace` in seconds."""

    at_once: int
    grace: float
    ended_kept: int


@asynccontextmanager
async def open_processes(
    worker: WorkerProgram,
    *,
    at_once: int,
    folder: Path,
    grace: float = 20,
    ended_kept: int = 1000,
    forward: Forward = lambda line: print(line, file=sys.stderr, flush=True),
) -> AsyncGenerator["ProcessCompute"]:
    """At most `at_once` workers at a time; at the end all of them are stopped, within `grace` seconds.

    Of compute jobs that ended, the last `ended_kept` are remembered. All processes that use the same `folder` know of
    each other's workers whether they live.
    """
    with own_compute(folder) as owner:
        bounds = Bounds(at_once=at_once, grace=grace, ended_kept=ended_kept)
        compute = ProcessCompute(worker, owner, bounds, folder=folder, forward=forward)
        try:
            await compute.get_ready()
            yield compute
        finally:
            await compute.aclose()


class ProcessCompute:
    def __init__(self, worker: WorkerProgram, owner: Owner, bounds: Bounds, *, folder: Path, forward: Forward) -> None:
        self._worker = worker
        self._owner = owner
        self._bounds = bounds
        self._folder = folder
        self._forward = forward
        self._jobs: dict[str, ComputeJob] = {}
        self._started = 0
        self._waiting = WaitingShards()
        self._ended: deque[str] = deque()
        self._at_work: set[asyncio.Task[None]] = set()
        self._server: ForkServer | None = None
        self._launching = asyncio.Lock()
        self._closed = False

    async def get_ready(self) -> ForkServer:
        """Launch the fork server, also after it was lost; its imports go on in the background."""
        async with self._launching:
            if self._closed:
                raise _closing()
            if self._server and not self._server.gone:
                return self._server
            if self._server:
                await self._server.aclose()
            self._server = await ForkServer.launch(
                "cody_backends.processes.child:run_child",
                environment={name: value for name, value in self._worker.environment.items() if name != _ARRAY_INDEX},
                preload=(*self._worker.preload, self._worker.entry.partition(":")[0]),
                grace=self._bounds.grace,
                inherit=(self._owner.lock,),
            )
            return self._server

    async def ping(self) -> None:
        if self._closed or not self._server or self._server.gone:
            raise Unavailable("worker processes", "the fork server has ended")

    async def start(self, request: ComputeRequest) -> str:
        if self._closed:
            raise _closing()
        self._started += 1
        job = ComputeJob(self._owner.compute_id(self._started), request)
        self._jobs[job.id] = job
        self._waiting.add(job)
        self._fill_places()
        return job.id

    async def describe(self, compute_id: str, indexes: Sequence[int]) -> dict[int, ShardReport]:
        job = self._jobs.get(compute_id)
        if job is None:
            absent = _SOMEBODY_ELSES if self._is_somebody_elses(compute_id) else _UNKNOWN
            return dict.fromkeys(indexes, absent)
        return {index: job.shards[index].report() if 0 <= index < len(job.shards) else _UNKNOWN for index in indexes}

    async def stop(self, compute_id: str, *, indexes: Sequence[int] | None = None) -> None:
        job = self._jobs.get(compute_id)
        if job is None:
            return
        for shard in job.shards:
            if indexes is None or shard.index in indexes:
                self._stop(shard)

    async def aclose(self) -> None:
        self._closed = True
        while shard := self._waiting.take():
            self._end(shard, None, "stopped before it began")
        async with self._launching:
            if self._server:
                await self._server.aclose()  # ends the workers, too
        await asyncio.gather(*self._at_work)

    def _is_somebody_elses(self, compute_id: str) -> bool:
        return not self._owner.made(compute_id) and owner_lives(self._folder, compute_id)

    def _fill_places(self) -> None:
        while len(self._at_work) < self._bounds.at_once and (shard := self._waiting.take()):
            shard.has_place = True
            name = f"worker {shard.job.request.job_id} {shard.job.request.attempt} {shard.index}"
            task = asyncio.create_task(self._run(shard), name=name)
            self._at_work.add(task)
            task.add_done_callback(self._leave_place)

    def _leave_place(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        self._fill_places()

    async def _run(self, shard: ComputeShard) -> None:
        output = WorkerOutput(self._forward)
        try:
            shard.process = await self._spawn(shard, output)
            if shard.stopping:
                self._terminate(shard)
            exit_code = await shard.process.wait()
        except Unavailable as error:
            self._end(shard, None, str(error))
        else:
            output.drain()
            self._end(shard, exit_code, _reason(exit_code, output.last_lines()))
        finally:
            output.close()

    async def _spawn(self, shard: ComputeShard, output: WorkerOutput) -> ForkedProcess:
        request = shard.job.request
        arguments = ("--job-id", request.job_id, "--attempt", str(request.attempt))
        child = ChildProgram(program=self._worker.entry, arguments=arguments)
        server = await self.get_ready()
        process = await server.spawn(
            msgspec.msgpack.encode(child), environment=_environment(shard), fds=[output.writing]
        )
        output.handed_over()
        return process

    def _stop(self, shard: ComputeShard) -> None:
        if shard.ended or shard.stopping:
            return
        shard.stopping = True
        if shard.process:
            self._terminate(shard)
        elif not shard.has_place:
            self._end(shard, None, "stopped before it began")

    def _terminate(self, shard: ComputeShard) -> None:
        assert shard.process
        shard.process.send_signal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        shard.kill = loop.call_later(self._bounds.grace, shard.process.send_signal, signal.SIGKILL)

    def _end(self, shard: ComputeShard, exit_code: int | None, reason: str) -> None:
        """Note the shard's end; ended compute jobs are remembered for a while only."""
        shard.end(exit_code, reason)
        if shard.job.unfinished == 0:
            self._ended.append(shard.job.id)
        while len(self._ended) > self._bounds.ended_kept:
            del self._jobs[self._ended.popleft()]


def _closing() -> Unavailable:
    return Unavailable("worker processes", "this program is about to end")


def _environment(shard: ComputeShard) -> dict[str, str]:
    """What AWS Batch sets in a container: a job of one shard is no array job there."""
    request, compute_id = shard.job.request, shard.job.id
    if request.shards == 1:
        return {**request.environment, "AWS_BATCH_JOB_ID": compute_id, "AWS_BATCH_JOB_ATTEMPT": "1"}
    return {
        **request.environment,
        "AWS_BATCH_JOB_ID": f"{compute_id}:{shard.index}",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        _ARRAY_INDEX: str(shard.index),
    }


def _reason(exit_code: int, last_lines: str) -> str:
    if exit_code <= 128:
        return last_lines
    name = signal.Signals(exit_code - 128).name if exit_code - 128 in set(signal.Signals) else str(exit_code - 128)
    return f"{last_lines}\nended by {name}".strip()
