"""Shards that wait for a place, in order, and fairly over jobs: a large job does not keep a small one waiting."""

from collections import deque

from cody_backends.processes.compute_job import ComputeJob, ComputeShard


class WaitingShards:
    def __init__(self) -> None:
        self._by_job: dict[str, deque[ComputeShard]] = {}

    def add(self, job: ComputeJob) -> None:
        self._by_job.setdefault(job.request.job_id, deque()).extend(job.shards)

    def take(self) -> ComputeShard | None:
        """The next shard of the job whose turn it is; those that ended while they waited are left out."""
        while self._by_job:
            job_id = next(iter(self._by_job))
            shards = self._by_job.pop(job_id)
            while shards and shards[0].ended:
                shards.popleft()
            if not shards:
                continue
            shard = shards.popleft()
            if shards:
                self._by_job[job_id] = shards  # at the end: the other jobs come first
            return shard
        return None
