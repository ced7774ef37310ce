"""Which files share a request: those of which little is shown, where a change is local."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MOST_FILES = 8
MOST_CHARACTERS = 16_000
"""About 4,000 tokens: twice what all requests share, so that more would save little and tell Claude much at once."""
_SMALL = 6_000


def group_files(files: Iterable[T], sizes: Sequence[int]) -> Iterator[tuple[T, ...]]:
    """Neighbours together, up to these bounds; a large file stays alone. `sizes` are in characters shown."""
    group: list[T] = []
    size = 0
    for file, characters in zip(files, sizes, strict=True):
        if group and (len(group) == MOST_FILES or size + characters > MOST_CHARACTERS or characters > _SMALL):
            yield tuple(group)
            group, size = [], 0
        group.append(file)
        size += characters
        if characters > _SMALL:
            yield tuple(group)
            group, size = [], 0
    if group:
        yield tuple(group)
