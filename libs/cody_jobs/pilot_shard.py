"""Which repositories are looked at before a sample is chosen among them."""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

_LEAST, _TIMES = 16, 4
_INTERRUPTIONS_EXPECTED = 4


class QueuedRun(Struct, frozen=True, kw_only=True):
    position: int
    dispatches: int


def pilot_positions(queued: Sequence[QueuedRun], *, sample: int, attempts: int) -> list[int]:
    """Positions of the next pilot's repositories, in order: spread evenly over those that were dispatched least.

    A pilot that died before it chose (`attempts` says how often) is followed by one with half as many repositories,
    others where there are any: so one that takes its worker down with it is soon out of the others' way.
    """
    least = sample if attempts < _INTERRUPTIONS_EXPECTED else 1
    wanted = max(least, max(_LEAST, _TIMES * sample) >> attempts)
    by_dispatches: defaultdict[int, list[int]] = defaultdict(list)
    for run in queued:
        by_dispatches[run.dispatches].append(run.position)
    found: list[int] = []
    for _, positions in sorted(by_dispatches.items()):
        found += _spread(sorted(positions), wanted - len(found))
    return sorted(found)


def _spread(positions: Sequence[int], number: int) -> list[int]:
    if number >= len(positions):
        return list(positions)
    return [positions[place * len(positions) // number] for place in range(number)]
