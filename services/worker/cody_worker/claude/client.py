"""The Claude API through the `anthropic` SDK: streaming, waiting out what passes, counting what it costs."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

from cody_jobs.errors import SettingsError
from cody_jobs.models import FailureCode, JobType
from cody_jobs.outcomes import CallUsage
from cody_jobs.ports.room_store import RoomLimits, RoomStore
from cody_runtime.logs import get_logger
from cody_worker.claude.claude import BrokeOff, Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, NoMoreAnswers
from cody_worker.claude.count_tokens import count_tokens
from cody_worker.claude.errors import Trouble, TryAgain, headers_of, judge
from cody_worker.claude.governor.governor import Governor, Place, account_of, open_governor
from cody_worker.claude.governor.own_room import OwnRoomStore
from cody_worker.claude.meters import ClaudeMeters
from cody_worker.claude.patience import Backoff, Outage, OwnPatience
from cody_worker.claude.prices import Prices, read_prices
from cody_worker.claude.read_stream import StreamedReply
from cody_worker.claude.request_params import request_params
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.prompts import instructions

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic, AsyncStream
    from anthropic.types import RawMessageStreamEvent

log = get_logger(__name__)

_CONNECT_SECONDS = 10.0
_CALL_SECONDS = 3_600.0
"""A server that sends a byte now and then, and never ends, is given up after this."""

_LIMITED_TIMES = 40
"""So often a limit refuses one and the same call before that counts as its own failure."""


@asynccontextmanager
async def open_claude(
    settings: ClaudeSettings,
    *,
    rooms: RoomStore | None = None,
    backoff: Backoff | None = None,
    chance: random.Random | None = None,
    minute: float = 60.0,
) -> AsyncGenerator[Claude]:
    """One client for all calls of a worker; it reads nothing of the SDK's own variables but proxies and headers.

    `rooms` is where workers that use the same key share its limits; without it, this one keeps to them alone. `minute`
    is how many seconds a minute of the limits takes.

    Raises `NoMoreAnswers` (`claude_key_missing`, `claude_key_refused`) where the key is missing or cannot be one,
    `SettingsError` for a bad base URL or bad prices.
    """
    key, url = _checked_key(settings.claude_api_key), _checked_url(settings.claude_base_url)
    prices = read_prices(settings.claude_prices or "")
    sdk = await open_sdk(settings)
    clock, chance = asyncio.get_running_loop().time, chance or random.Random()  # noqa: S311 (jitter)
    async with (
        sdk,
        open_governor(
            rooms or OwnRoomStore(clock, minute=minute),
            account=account_of(url, key),
            ceilings=_ceilings(settings),
            clock=clock,
            chance=chance,
            minute=minute,
        ) as governor,
    ):
        yield _Client(sdk, settings, governor, prices, backoff or Backoff(), chance)


def _ceilings(settings: ClaudeSettings) -> RoomLimits:
    return RoomLimits(
        requests=settings.claude_requests_per_minute,
        input_tokens=settings.claude_input_tokens_per_minute,
        output_tokens=settings.claude_output_tokens_per_minute,
    )


async def open_sdk(settings: ClaudeSettings) -> "AsyncAnthropic":
    """Raises as `open_claude` does."""
    key, url = _checked_key(settings.claude_api_key), _checked_url(settings.claude_base_url)
    # The SDK takes two seconds to import, and prompts are files; the worker's leases have to be kept meanwhile.
    return await asyncio.to_thread(_open_sdk, key, url, settings.claude_silence)


def _open_sdk(key: str, url: str, silence: float) -> "AsyncAnthropic":
    import anthropic
    import httpx2

    for job_type in JobType:
        instructions(job_type)
    return anthropic.AsyncAnthropic(
        api_key=key,
        base_url=url,
        max_retries=0,
        timeout=httpx2.Timeout(silence, connect=_CONNECT_SECONDS, pool=None),
        # Said here, so that no variable can switch the recording of code on.
        open_telemetry={"traces": {"enabled": True, "content_mode": "metadata_only"}},
    )


def _checked_key(key: str | None) -> str:
    if not key:
        raise NoMoreAnswers(
            FailureCode.CLAUDE_KEY_MISSING, "the worker has no Claude key. Set CLAUDE_API_KEY or ANTHROPIC_API_KEY."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise NoMoreAnswers(
            FailureCode.CLAUDE_KEY_REFUSED, "CLAUDE_API_KEY (or ANTHROPIC_API_KEY) has characters that no key has."
        )
    return key


def _checked_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if scheme not in {"http", "https"} or not separator or not rest.strip("/"):
        raise SettingsError(f"CLAUDE_BASE_URL: {url!r} is no http(s) address, like https://api.anthropic.com")
    return url


class _Setback(Struct, frozen=True, kw_only=True):
    """An attempt that may be made again after `wait` seconds. `counts`: time of this call's own patience passes, as it
    does not while others use up a limit."""

    verdict: TryAgain
    error: Exception
    wait: float
    counts: bool


class _Client:
    """Implements `Claude`, and `CountsTokens`."""

    def __init__(
        self,
        sdk: "AsyncAnthropic",
        settings: ClaudeSettings,
        governor: Governor,
        prices: Prices,
        backoff: Backoff,
        chance: random.Random,
    ) -> None:
        self._sdk = sdk
        self._patience = settings.claude_patience
        self._limit = settings.claude_max_output_tokens
        self._governor = governor
        self._prices = prices
        self._backoff = backoff
        self._chance = chance
        self._outage = Outage()
        self._meters = ClaudeMeters()
        self._unpriced: set[str] = set()

    @property
    def max_output_tokens(self) -> int:
        return self._limit

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        paid: list[CallUsage] = []
        with self._outage.asking():
            try:
                return await self._ask(request, paid)
            except ClaudeFailed as failure:
                failure.calls = tuple(paid)
                raise

    async def count_tokens(self, request: ClaudeRequest) -> int | None:
        return await count_tokens(self._sdk, request)

    async def _ask(self, request: ClaudeRequest, paid: list[CallUsage]) -> ClaudeReply:
        patience = OwnPatience()
        for attempt in count():
            async with self._governor.place(request) as place:
                patience.waited(place.waited)
                reply = await self._attempt(request, paid, place, attempt)
            if isinstance(reply, ClaudeReply):
                return reply
            if paid and request.pay_once:
                raise BrokeOff(FailureCode.CLAUDE_UNAVAILABLE, reply.verdict.reason, retryable=True) from reply.error
            self._check_patience(reply, patience)
            log.warning(
                "claude_waiting", reason=reply.verdict.reason, seconds=round(reply.wait, 1), attempt=attempt + 1
            )
            await asyncio.sleep(reply.wait)
        raise AssertionError("counting ends never")

    async def _attempt(
        self, request: ClaudeRequest, paid: list[CallUsage], place: Place, attempt: int
    ) -> ClaudeReply | _Setback:
        try:
            reply = await self._call(request, paid, place)
        except Exception as error:
            verdict = judge(error, request.model)  # raises again what is no error of the SDK
            if isinstance(verdict, ClaudeFailed):
                self._outage.answered()
                place.failed(Trouble.OTHER, headers_of(error), 0)
                raise verdict from error
            wait = self._backoff.wait(attempt, verdict.after, self._chance)
            place.failed(verdict.trouble, headers_of(error), wait)
            limited = verdict.trouble is Trouble.LIMIT and attempt < _LIMITED_TIMES and not place.too_large
            return _Setback(verdict=verdict, error=error, wait=wait, counts=not limited)
        self._outage.answered()
        return reply

    def _check_patience(self, setback: _Setback, patience: OwnPatience) -> None:
        now = asyncio.get_running_loop().time()
        own, since = patience.failed(now, counts=setback.counts), self._outage.failed(now)
        if now - min(since, own) + setback.wait <= self._patience:
            return
        nobody_answered = since <= own
        raise (NoMoreAnswers if nobody_answered else ClaudeFailed)(
            FailureCode.CLAUDE_UNAVAILABLE,
            f"Claude gave no answer within {self._patience:g} s (CLAUDE_PATIENCE); last: {setback.verdict.reason}",
            retryable=True,
        ) from setback.error

    async def _call(self, request: ClaudeRequest, paid: list[CallUsage], place: Place) -> ClaudeReply:
        """One attempt. Whatever it costs is added to `paid`, also when it breaks off."""
        call, streamed, request_id, whole = _Started.now(), StreamedReply(), None, False
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                stream = await self._send(request)
                place.begun(stream.response.headers)
                if request.on_begin is not None:
                    request.on_begin()
                request_id = stream.response.headers.get("request-id")
                async with stream:
                    await streamed.read(stream)
                whole = True
        finally:
            if streamed.begun:
                place.ended(streamed.tokens, whole=whole)
                paid.append(self._usage(request.model, streamed, request_id, call))
        return ClaudeReply(content=streamed.content, blocks=streamed.blocks, stop=streamed.stop, calls=tuple(paid))

    async def _send(self, request: ClaudeRequest) -> "AsyncStream[RawMessageStreamEvent]":
        return await self._sdk.messages.create(**request_params(request), stream=True)

    def _usage(self, model: str, streamed: StreamedReply, request_id: str | None, call: "_Started") -> CallUsage:
        if self._prices.known(model) is None and model not in self._unpriced:
            self._unpriced.add(model)
            log.warning("claude_model_without_price", model=model, counted_as="the dearest known model")
        tokens = streamed.tokens
        usage = CallUsage(
            request_id=request_id,
            model=model,
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_creation_input_tokens=tokens.cache_creation,
            cache_read_input_tokens=tokens.cache_read,
            cost_microusd=self._prices.cost(model, tokens),
            latency_ms=round(call.seconds() * 1_000),
            at=call.at,
        )
        self._meters.record(usage)
        return usage


class _Started(Struct, frozen=True):
    at: datetime
    clock: float

    @classmethod
    def now(cls) -> "_Started":
        return cls(datetime.now(UTC), asyncio.get_running_loop().time())

    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self.clock
