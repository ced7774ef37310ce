"""Requests that wait for their batch to be closed: when nothing more comes, or when it is full."""

import asyncio

from cody_worker.claude.batches.pace import Pace
from cody_worker.claude.batches.tickets import Ticket


class Collected:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._tickets: list[Ticket] = []
        self._more = asyncio.Event()

    def add(self, ticket: Ticket) -> None:
        self._tickets.append(ticket)
        self._more.set()

    def clear(self) -> None:
        self._tickets = []

    async def next_batch(self) -> list[Ticket]:
        """Empty where what was collected has been cleared meanwhile."""
        await self._more.wait()
        await self._quiet()
        tickets, self._tickets = self._cut()
        if self._tickets:
            self._more.set()
        return tickets

    async def _quiet(self) -> None:
        """Until nothing more comes, or the batch is full."""
        self._more.clear()
        while len(self._cut()[1]) == 0:
            try:
                async with asyncio.timeout(self._pace.quiet):
                    await self._more.wait()
            except TimeoutError:
                return
            self._more.clear()

    def _cut(self) -> tuple[list[Ticket], list[Ticket]]:
        """What goes into one batch, and what is left for the next one."""
        size = 0
        for number, ticket in enumerate(self._tickets):
            size += ticket.size
            if number and (number == self._pace.most_requests or size > self._pace.most_bytes):
                return self._tickets[:number], self._tickets[number:]
        return self._tickets, []
