"""Output of a command, of which both ends are kept."""

import codecs
from collections import deque

_HEAD_SHARE = 4


class BoundedOutput:
    """Keeps the first quarter of `most` bytes, and the last three."""

    def __init__(self, most: int) -> None:
        self.size = 0
        self._head = bytearray()
        self._head_most = most // _HEAD_SHARE
        self._tail: deque[bytes] = deque()
        self._tail_most = most - self._head_most
        self._tail_size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        room = self._head_most - len(self._head)
        self._head += data[:room]
        if rest := data[max(room, 0) :]:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_most:
            self._tail_size -= len(self._tail.popleft())

    @property
    def truncated(self) -> bool:
        return self.size > self._head_most + self._tail_most

    def text(self) -> str:
        """What was kept; what is not UTF-8 is replaced, and a character that was cut in two is left out."""
        tail = b"".join(self._tail)[-self._tail_most :]
        if not self.truncated:
            return (self._head + tail).decode(errors="replace")
        missing = self.size - len(self._head) - len(tail)
        return f"{head_of(bytes(self._head))}\n[{missing:,} bytes are left out]\n{tail_of(tail)}"


def head_of(data: bytes) -> str:
    """Without the beginning of a character at its end."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data, final=False)


def tail_of(data: bytes) -> str:
    """Without the end of a character at its beginning."""
    at = 0
    while at < min(3, len(data)) and 0b1000_0000 <= data[at] < 0b1100_0000:
        at += 1
    return data[at:].decode(errors="replace")
