"""What was last heard of each shard, so that AWS Batch is asked less."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from cody_backends.aws.batch.seen_job import SeenJob

_KEPT = 100_000


class _Remembered(Struct, frozen=True, kw_only=True):
    job: SeenJob
    at: float


class Memory:
    """An end is remembered for good, any other state for `good_for` seconds. Bounded: the oldest goes first."""

    def __init__(self, clock: Callable[[], float], *, kept: int = _KEPT) -> None:
        self._clock = clock
        self._kept = kept
        self._shards: OrderedDict[tuple[str, int], _Remembered] = OrderedDict()
        self.good_for = 0.0

    def recall(self, compute_id: str, indexes: Sequence[int]) -> dict[int, SeenJob]:
        since = self._clock() - self.good_for
        found = ((index, self._shards.get((compute_id, index))) for index in indexes)
        return {index: known.job for index, known in found if known and (known.job.ended or known.at > since)}

    def remember(self, compute_id: str, jobs: Mapping[int, SeenJob]) -> None:
        now = self._clock()
        for index, job in jobs.items():
            self._shards[compute_id, index] = _Remembered(job=job, at=now)
            self._shards.move_to_end((compute_id, index))
        while len(self._shards) > self._kept:
            self._shards.popitem(last=False)
