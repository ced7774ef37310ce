"""Ctrl-C, counted: the first asks for an orderly end, the second for an immediate one."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While `listening`, the first Ctrl-C only sets `first`: whoever waits for it ends in good order. Otherwise it
    cancels the task that made this. A further one, and any while `ending`, calls `at_once` before that."""

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.first = asyncio.Event()
        self.listening = False
        self.ending = False
        self.at_once: Callable[[], None] = lambda: None
        self._task = task

    async def unless_interrupted(self, work: Coroutine[Any, Any, object]) -> bool:
        """Do the work, and stop doing it at the first Ctrl-C; whether it was done."""
        doing = asyncio.create_task(work, name="unless-interrupted")
        waiting = asyncio.create_task(self.first.wait(), name="wait-for-interrupt")
        try:
            await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            return doing.done()
        finally:
            for task in (doing, waiting):
                task.cancel()
            await asyncio.gather(doing, waiting, return_exceptions=True)

    def notice(self) -> None:
        again = self.first.is_set() or self.ending
        self.first.set()
        if again:
            self.at_once()
        if again or not self.listening:
            self._task.cancel()


@contextmanager
def interrupts() -> Generator[Interrupts]:
    """Count Ctrl-C (and SIGTERM) while the block runs."""
    task = asyncio.current_task()
    assert task is not None
    counted = Interrupts(task)
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, counted.notice)
    try:
        yield counted
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
