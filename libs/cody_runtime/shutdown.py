"""One way to stop: SIGTERM, SIGINT, or the end of the program that started us set the same event."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

PARENT_PIPE = "CODY_PARENT_PIPE"
"""Number of an inherited pipe's read end. Its write end is held by the program that started us: when that is gone,
however it went, the pipe ends and we stop as on SIGTERM."""


@asynccontextmanager
async def stop_on_signals(parent_pipe: int | None = None) -> AsyncGenerator[asyncio.Event]:
    """Yield an event that is set once this process is asked to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_pipe is not None:
        loop.add_reader(parent_pipe, _parent_gone, loop, parent_pipe, stop)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if parent_pipe is not None:
            loop.remove_reader(parent_pipe)


def _parent_gone(loop: asyncio.AbstractEventLoop, parent_pipe: int, stop: asyncio.Event) -> None:
    if not os.read(parent_pipe, 1):
        loop.remove_reader(parent_pipe)
        stop.set()
