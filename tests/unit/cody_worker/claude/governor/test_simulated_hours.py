"""Hours of several workers under limits, in simulated time: the same in every run, and over in a moment."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest
from msgspec import Raw, Struct

from cody_jobs.outcomes import ThreadMessage
from cody_jobs.ports.room_store import RoomLimits
from cody_stand_ins.claude.faults import Faults
from cody_stand_ins.claude.limits import Limits
from cody_worker.claude import ClaudeRequest
from cody_worker.claude.errors import Trouble
from cody_worker.claude.governor.governor import Governor, open_governor
from cody_worker.claude.governor.own_room import OwnRoomStore
from cody_worker.claude.prices import TokenCounts

_REQUESTS, _INPUT_TOKENS = 50, 40_000
_WORKERS, _AT_ONCE = 4, 8
_MINUTES = 20
_MODEL = "m"


class _Skipping(selectors.DefaultSelector):
    """Waits for nothing: the clock jumps to the end of each wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for somebody else"
        self.now += max(0.0, timeout)
        return super().select(0)


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def _simulate(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=_SimulatedLoop) as runner:
        runner.run(story())


class Server:
    """Keeps limits; answers after a few seconds, sooner with headers."""

    def __init__(self, *, input_tokens: int | None = _INPUT_TOKENS, overloaded: tuple[float, float] = (0, 0)) -> None:
        faults = Faults(requests_per_minute=_REQUESTS, input_tokens_per_minute=input_tokens)
        self.clock = asyncio.get_running_loop().time
        self.limits = Limits(faults, self.clock)
        self.overloaded = overloaded
        self.chance = random.Random(2)
        self.minutes = 0.0
        self.requests = self.refused = self.input_tokens = self.answered = 0

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.decode(): value.decode() for name, value in self.limits.headers(_MODEL)}

    async def answer(self, governor: Governor, request: ClaudeRequest, tokens: int) -> bool:
        async with governor.place(request) as place:
            await asyncio.sleep(0.1)
            self.requests += 1
            if self.overloaded[0] <= self.clock() < self.overloaded[1]:
                place.failed(Trouble.OVERLOAD, {}, self.chance.uniform(0.5, 1))
                return False
            refusal = self.limits.admit(_MODEL, tokens)
            if refusal is not None:
                self.refused += 1
                place.failed(Trouble.LIMIT, self.headers, refusal.retry_after)
                return False
            headers = self.headers
            self.minutes = self.clock() / 60
            self.answered += 1
            self.input_tokens += tokens
            await asyncio.sleep(1)
            place.begun(headers)
            await asyncio.sleep(self.chance.uniform(2, 10))
            place.ended(TokenCounts(input=tokens, cache_creation=0, cache_read=0, output=200), whole=True)
            return True

    def used(self, *, minutes_away: float = 0) -> tuple[float, float]:
        """Parts of what the limits allowed: a full bucket at first, and what came back until the last request."""
        minutes = 1 + self.minutes - minutes_away
        return self.answered / _REQUESTS / minutes, self.input_tokens / _INPUT_TOKENS / minutes


class Sizes(Struct, frozen=True):
    least: int
    most: int


async def _work(server: Server, governor: Governor, sizes: Sizes, chance: random.Random) -> None:
    while server.clock() < _MINUTES * 60:
        size = chance.randint(sizes.least, sizes.most)
        message = ThreadMessage(role="user", content=Raw(b"x" * size))
        request = ClaudeRequest(model=_MODEL, messages=(message,), tools=Raw(b""), max_output_tokens=2_000)
        tokens = round(size * chance.uniform(0.2, 0.3))
        await _until_answered(server, governor, request, tokens)


async def _until_answered(server: Server, governor: Governor, request: ClaudeRequest, tokens: int) -> None:
    if not await server.answer(governor, request, tokens):
        await asyncio.sleep(server.chance.uniform(0.5, 1))
        await _until_answered(server, governor, request, tokens)


async def _run_workers(server: Server, sizes: Sizes) -> None:
    rooms = OwnRoomStore(server.clock)
    await asyncio.gather(*(_run_worker(server, rooms, sizes, seed) for seed in range(_WORKERS)))


async def _run_worker(server: Server, rooms: OwnRoomStore, sizes: Sizes, seed: int) -> None:
    chance = random.Random(seed)
    async with open_governor(rooms, account="a", ceilings=RoomLimits(), clock=server.clock, chance=chance) as governor:
        await asyncio.gather(*(_work(server, governor, sizes, chance) for _ in range(_AT_ONCE)))


@pytest.mark.parametrize(
    ("sizes", "kind"), [(Sizes(500, 4_000), 0), (Sizes(1_000, 10_000), 1)], ids=["requests", "input"]
)
def test_nearly_all_of_the_limits_is_used_and_hardly_any_request_refused(sizes: Sizes, kind: int) -> None:
    async def story() -> None:
        server = Server()
        await _run_workers(server, sizes)
        assert server.used()[kind] > 0.95
        assert server.refused / server.requests < 0.01

    _simulate(story)


def test_an_overloaded_server_is_hardly_asked_and_used_fully_soon_after() -> None:
    async def story() -> None:
        server = Server(overloaded=(300, 420))
        await _run_workers(server, Sizes(500, 4_000))
        overloads = server.requests - server.refused - server.answered
        assert overloads < 120
        assert server.used(minutes_away=2)[0] > 0.9
        assert server.refused / server.requests < 0.01

    _simulate(story)
