"""How many calls are under way at once: doubled by each answer at first, cut down by an overloaded server."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_FIRST, _MOST = 8.0, 1_024.0
_REGAIN = 4.0
"""Answers of one round that add as many places together, once the server has been overloaded."""


class Window:
    def __init__(self) -> None:
        self._size = _FIRST
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._growing = True
        self._cut_at = float("-inf")

    @property
    def size(self) -> int:
        return max(1, int(self._size))

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for one, first come, first served, and hold it for the block."""
        await self._enter()
        try:
            yield
        finally:
            self._inside -= 1
            self._admit()

    def answered(self) -> None:
        self._size = min(_MOST, self._size * 2 if self._growing else self._size + _REGAIN / self._size)
        self._admit()

    def cut(self, started: float, now: float) -> bool:
        """Halve it, once for all calls that were under way together: those started before the last cut do nothing."""
        if started <= self._cut_at:
            return False
        self._growing, self._cut_at = False, now
        self._size = max(1.0, min(self._size, float(self._inside)) / 2)
        return True

    async def _enter(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            self._leave_line(turn)
            raise

    def _leave_line(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self._inside -= 1
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self.size:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
