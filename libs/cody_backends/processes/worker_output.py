"""The output of one worker: passed on line by line, with the last lines kept for the reason of a failure."""

import asyncio
import os
from collections import deque
from collections.abc import Callable

from cody_runtime.logs import censor_text

Forward = Callable[[str], None]

_LINES_KEPT = 20
_LINE_CHARACTERS = 1000
_READ_BYTES = 65536
_LINE_BYTES = 32768


class WorkerOutput:
    """A pipe whose writing end the worker gets. Bounded: a line without an end is passed on in pieces."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._loop.add_reader(self._reading, self._read)

    def handed_over(self) -> None:
        """Close our copy of the writing end: the worker has its own."""
        os.close(self.writing)
        self.writing = -1

    def drain(self) -> None:
        """Read what is there, without waiting for the end: a grandchild may still hold the other side."""
        while self._read():
            pass
        if self._rest:
            self._pass_on(self._rest)
            self._rest = b""

    def close(self) -> None:
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        if self.writing >= 0:
            self.handed_over()

    def last_lines(self) -> str:
        """At most 20 lines, without what looks like a secret."""
        return censor_text("\n".join(self._lines))

    def _read(self) -> bool:
        try:
            data = os.read(self._reading, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._reading)
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._pass_on(line)
        if len(self._rest) > _LINE_BYTES:
            self._pass_on(self._rest)
            self._rest = b""
        return True

    def _pass_on(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        self._lines.append(text[:_LINE_CHARACTERS])
        self._forward(text)
