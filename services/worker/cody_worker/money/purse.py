"""The money of one job, as one worker sees it: reserve, settle, and wait for what comes back."""

import asyncio
from contextlib import suppress

from msgspec import Struct

from cody_jobs.errors import Unavailable
from cody_jobs.ports.money_store import CapLevel, CapReached, Caps, MoneyStore, Reserved
from cody_runtime.logs import get_logger

log = get_logger(__name__)


class Account(Struct, frozen=True, kw_only=True):
    """Whose call it is: a file's, or the job's own where the repository is empty."""

    repository: str
    path: str


class Waiting(Struct, frozen=True, kw_only=True):
    """Seconds. What is reserved is looked at every `poll`, until it has not changed for `patience`."""

    poll: float = 2.0
    patience: float = 300.0


class Purse:
    def __init__(self, money: MoneyStore, *, job_id: str, caps: Caps, owner: str, waiting: Waiting) -> None:
        self._money = money
        self._job_id = job_id
        self._caps = caps
        self._owner = owner
        self._waiting = waiting
        self._held: dict[str, Account] = {}
        self._lines: dict[tuple[str, ...], Line] = {}
        self._news = asyncio.Event()

    def has_cap(self, account: Account) -> bool:
        own = (self._caps.file, self._caps.repository) if account.repository else ()
        return any(cap is not None for cap in (*own, self._caps.job))

    async def reserve(self, reservation_id: str, account: Account, microusd: int) -> Reserved | CapReached:
        """Who is cancelled meanwhile holds nothing."""
        task = asyncio.create_task(self._reserve(reservation_id, account, microusd), name="reserve")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None and isinstance(task.result(), Reserved):
                await self.settle(reservation_id, 0)
            raise

    async def settle(self, reservation_id: str, spent: int) -> None:
        """Done also where we are cancelled. Where the database stays away, it stays reserved: what is recorded of the
        file tells later what it has cost."""
        task = asyncio.create_task(self._settle(reservation_id, spent), name="settle")
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def leave(self, reservation_id: str) -> None:
        """Nobody knows what it has cost: it stays reserved."""
        self._held.pop(reservation_id, None)
        self._news.set()
        self._news = asyncio.Event()

    def line(self, account: Account, level: CapLevel) -> "Line":
        """Where calls wait that the same cap refuses."""
        key = _key(account, level)
        if key not in self._lines:
            self._lines[key] = Line(self, key, self._waiting)
        return self._lines[key]

    def holds(self, key: tuple[str, ...]) -> bool:
        """A call of our own is on its way whose reservation counts against this cap: what it leaves comes back."""
        return any(_key(account, CapLevel.FILE)[: len(key)] == key for account in self._held.values())

    @property
    def news(self) -> asyncio.Event:
        """Set when a call of our own ends."""
        return self._news

    async def _reserve(self, reservation_id: str, account: Account, microusd: int) -> Reserved | CapReached:
        answer = await self._money.reserve(
            reservation_id,
            job_id=self._job_id,
            repository=account.repository,
            path=account.path,
            microusd=microusd,
            caps=self._caps,
            owner=self._owner,
        )
        if isinstance(answer, Reserved):
            self._held[reservation_id] = account
        return answer

    async def _settle(self, reservation_id: str, spent: int) -> None:
        try:
            await self._money.settle(self._job_id, reservation_id, spent=spent)
        except Unavailable as error:
            log.warning("money_not_settled", reason=str(error), reservation=reservation_id, cost_microusd=spent)
        self.leave(reservation_id)


class Line:
    """Calls wait one behind the other, and only the first one looks."""

    def __init__(self, purse: Purse, key: tuple[str, ...], waiting: Waiting) -> None:
        self.first = asyncio.Lock()
        self._purse = purse
        self._key = key
        self._waiting = waiting
        self._clock = asyncio.get_running_loop().time
        self._seen: int | None = None
        self._since = 0.0

    def in_vain(self, refused: CapReached) -> bool:
        """Nothing has come back for long. Who comes later does not wait for that again."""
        if refused.free != self._seen or self._purse.holds(self._key):
            self._seen, self._since = refused.free, self._clock()
        return self._clock() - self._since >= self._waiting.patience

    async def wait(self, news: asyncio.Event) -> None:
        """For news of the purse, or for the time to look again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._waiting.poll):
                await news.wait()


def _key(account: Account, level: CapLevel) -> tuple[str, ...]:
    match level:
        case CapLevel.JOB:
            return ()
        case CapLevel.REPOSITORY:
            return (account.repository,)
        case CapLevel.FILE:
            return (account.repository, account.path)
