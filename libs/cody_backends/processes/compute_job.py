"""What was started together: a compute job and its shards, from the request to the end of the last child."""

import asyncio
from typing import Final

from cody_jobs.ports.compute import EXIT_OK, ComputeRequest, ShardReport, ShardState
from cody_runtime.fork_server import ForkedProcess


class ComputeShard:
    """One child of a compute job, from its request to its end."""

    def __init__(self, job: "ComputeJob", index: int) -> None:
        self.job: Final = job
        self.index: Final = index
        self.has_place = False
        self.process: ForkedProcess | None = None
        self.stopping = False
        self.kill: asyncio.TimerHandle | None = None
        self._report: ShardReport | None = None

    @property
    def ended(self) -> bool:
        return self._report is not None

    def report(self) -> ShardReport:
        state = ShardState.RUNNING if self.process else ShardState.WAITING
        return self._report or ShardReport(state=state, exit_code=None, reason=None)

    def end(self, exit_code: int | None, reason: str | None) -> None:
        if self._report:
            return
        state = ShardState.SUCCEEDED if exit_code == EXIT_OK else ShardState.FAILED
        self._report = ShardReport(
            state=state, exit_code=exit_code, reason=reason if state is ShardState.FAILED else None
        )
        self.process = None
        if self.kill:
            self.kill.cancel()
        self.job.unfinished -= 1


class ComputeJob:
    def __init__(self, compute_id: str, request: ComputeRequest) -> None:
        self.id: Final = compute_id
        self.request: Final = request
        self.shards: Final = tuple(ComputeShard(self, index) for index in range(request.shards))
        self.unfinished = request.shards
