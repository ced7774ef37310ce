"""Files that end in the same moment are recorded in one transaction.

A commit waits for the disk, and its job's events are locked until then: one after the other, commits would bound how
many files a worker ends in a second.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from cody_backends.postgres.database import Operation
from cody_backends.postgres.results.record import Recording, record_files
from cody_jobs.errors import Unavailable

MOST_TOGETHER = 64


class RunsTransactions(Protocol):
    async def run(self, operation: Operation[None]) -> None:
        """As `Database.run`."""
        ...


class _Waiting:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.done = False
        self.error: Unavailable | None = None


class RecordsTogether:
    """Whoever has the turn records, and with it what has come meanwhile; the others wait for that."""

    def __init__(self, database: RunsTransactions) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def record(self, recording: Recording) -> None:
        """Raises `Unavailable`, and whatever is wrong with this very recording."""
        mine = _Waiting(recording)
        self._waiting.append(mine)
        try:
            async with self._turn:
                if not mine.done:
                    await self._record_with_others(mine)
        finally:
            # Of who was cancelled nobody knows whether it is recorded; nobody asks, either.
            self._waiting = [other for other in self._waiting if other is not mine]
        if mine.error is not None:
            raise mine.error

    async def _record_with_others(self, mine: _Waiting) -> None:
        together = self._choose(mine)
        try:
            await self._record_all(together)
        except Unavailable as error:
            for one in together:
                one.error = error
        except Exception:
            # What one of them cannot have must not fail the others: each tries for itself.
            if len(together) > 1:
                await self._record_all([mine])
                return
            raise
        for one in together:
            one.done = True

    async def _record_all(self, together: Sequence[_Waiting]) -> None:
        await self._database.run(partial(record_files, recordings=[one.recording for one in together]))

    def _choose(self, mine: _Waiting) -> list[_Waiting]:
        """At most one of each file: two are two transactions, in their order."""
        chosen = {mine.recording.place: mine}
        for one in self._waiting:
            if len(chosen) == MOST_TOGETHER:
                break
            if not one.done:
                chosen.setdefault(one.recording.place, one)
        return list(chosen.values())
