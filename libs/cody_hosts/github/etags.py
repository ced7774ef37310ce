"""Answers that GitHub need not send again: asked with their ETag, it says 304, which no limit counts."""

from collections import OrderedDict
from collections.abc import Mapping

from msgspec import Struct


class Kept(Struct, frozen=True, kw_only=True):
    """An answer as it came."""

    etag: str
    content: bytes
    headers: Mapping[str, str]


class ETags:
    """The answers used last, up to so many and so many bytes. Keys name the lane too: not everybody may read all."""

    def __init__(self, *, most: int = 2_000, most_bytes: int = 32 << 20) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, ...], Kept] = OrderedDict()

    def find(self, key: tuple[str, ...]) -> Kept | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def keep(self, key: tuple[str, ...], answer: Kept) -> None:
        self.drop(key)
        self._kept[key] = answer
        self._bytes += len(answer.content)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self.drop(next(iter(self._kept)))

    def drop(self, key: tuple[str, ...]) -> None:
        if key in self._kept:
            self._bytes -= len(self._kept.pop(key).content)

    @property
    def size(self) -> tuple[int, int]:
        """Answers, and their bytes."""
        return len(self._kept), self._bytes
