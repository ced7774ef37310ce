"""How many calls may be under way at once."""

import asyncio

from cody_worker.claude.governor.window import Window


class Caller:
    """Holds a place until told to leave."""

    def __init__(self, window: Window) -> None:
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._call(window), name="call")

    async def _call(self, window: Window) -> None:
        async with window.place():
            self.inside = True
            await self.leave.wait()
        self.inside = False

    async def end(self) -> None:
        self.leave.set()
        await self.task


async def _turn() -> None:
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _callers(window: Window, number: int) -> list[Caller]:
    callers = [Caller(window) for _ in range(number)]
    await _turn()
    return callers


def _inside(callers: list[Caller]) -> list[int]:
    return [number for number, caller in enumerate(callers) if caller.inside]


async def _end(callers: list[Caller]) -> None:
    for caller in callers:
        caller.leave.set()
    await asyncio.gather(*(caller.task for caller in callers), return_exceptions=True)


async def test_a_few_at_first_and_twice_as_many_with_each_answer() -> None:
    window = Window()
    callers = await _callers(window, 40)
    assert _inside(callers) == list(range(8))
    window.answered()
    await _turn()
    assert _inside(callers) == list(range(16))
    window.answered()
    await _turn()
    assert _inside(callers) == list(range(32))
    await _end(callers)


async def test_places_are_given_in_turn() -> None:
    window = Window()
    callers = await _callers(window, 12)
    await callers[3].end()
    await callers[5].end()
    await _turn()
    assert _inside(callers) == [0, 1, 2, 4, 6, 7, 8, 9]
    await _end(callers)


async def test_an_overload_halves_what_is_under_way_once_for_all_calls_of_that_time() -> None:
    window = Window()
    window.answered()
    callers = await _callers(window, 16)
    assert window.cut(started=1.0, now=5.0)
    assert not window.cut(started=2.0, now=6.0)
    assert window.size == 8
    assert window.cut(started=7.0, now=8.0)
    assert window.size == 4
    await _end(callers)


async def test_there_is_always_one_place() -> None:
    window = Window()
    for now in range(10):
        window.cut(started=now + 0.5, now=now + 1)
    assert window.size == 1


async def test_after_an_overload_it_grows_by_a_few_places_a_round() -> None:
    window = Window()
    window.answered()
    callers = await _callers(window, 16)
    window.cut(started=1.0, now=5.0)
    for _ in range(8):
        window.answered()
    assert 10 <= window.size <= 12
    await _end(callers)


async def test_who_gives_up_waiting_takes_no_place() -> None:
    window = Window()
    callers = await _callers(window, 10)
    callers[8].task.cancel()
    await _turn()
    await callers[0].end()
    await _turn()
    assert _inside(callers) == [*range(1, 8), 9]
    await _end(callers)


async def test_a_place_that_was_given_to_who_gives_up_goes_to_the_next() -> None:
    window = Window()
    callers = await _callers(window, 10)
    callers[0].leave.set()
    await asyncio.sleep(0)  # its place is the next one's now, who has not heard of it yet
    callers[8].task.cancel()
    await _turn()
    assert _inside(callers) == [*range(1, 8), 9]
    await _end(callers)
