"""Calls spread over time: an account's limits are shared with everybody in it."""

import asyncio


class Pace:
    """`await pace.turn()` returns `per_second` times a second at most, and `burst` times at once after a rest."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._between = 1 / per_second
        self._saved_up = (burst - 1) * self._between
        self._next = float("-inf")

    async def turn(self) -> None:
        pause = self.take(asyncio.get_running_loop().time())
        if pause > 0:
            await asyncio.sleep(pause)

    def take(self, now: float) -> float:
        """Take a turn, and tell in how many seconds it is."""
        turn = max(self._next, now - self._saved_up)
        self._next = turn + self._between
        return max(0.0, turn - now)
