"""Gives each file of a job a Claude that pays in advance.

Before a call, the most that it can cost is reserved against the caps of its file, its repository and its job; after it,
what it has cost takes the reservation's place. So no cap is passed, however many calls are on their way. Most of what
is reserved comes back: a call that would fit without it waits.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.models import FailureCode
from cody_jobs.outcomes import CallUsage
from cody_jobs.ports.money_store import CapLevel, CapReached, Caps, MoneyStore, Reserved
from cody_worker.claude import BrokeOff, Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, StopReason
from cody_worker.claude.count_tokens import CountTokens
from cody_worker.claude.prices import Prices
from cody_worker.money.prompt_size import most_of_counted, most_prompt_tokens
from cody_worker.money.purse import Account, Line, Purse, Waiting

LEAST_OUTPUT_TOKENS = 2_048
"""A reply that may not be longer than that would mostly be cut off, and be paid for in vain."""
_ATTEMPTS = 5


class JobCapReached(ClaudeFailed):
    """The job's cap leaves nothing for this call; what is done stays."""


class Quote(Struct, frozen=True, kw_only=True):
    """The most that a call can use."""

    prompt_tokens: int
    output_tokens: int
    counted: bool = False


class Budget:
    """`name` gives each call's reservation its id. With `batch`, calls are made in batches, at their price."""

    def __init__(
        self,
        claude: Claude,
        money: MoneyStore,
        prices: Prices,
        *,
        job_id: str,
        caps: Caps,
        owner: str,
        name: Callable[[ClaudeRequest], str],
        count_tokens: CountTokens | None = None,
        batch: bool = False,
        waiting: Waiting | None = None,
    ) -> None:
        self._claude = claude
        self._purse = Purse(money, job_id=job_id, caps=caps, owner=owner, waiting=waiting or Waiting())
        self._prices = prices
        self._name = name
        self._count_tokens = count_tokens
        self._batch = batch

    def for_file(self, repository: str, path: str) -> Claude:
        """For calls about one file; about no repository (the job's plan) where its name is empty."""
        account = Account(repository=repository, path=path)
        return _PaidClaude(self, self._purse, account) if self._purse.has_cap(account) else self._claude

    @property
    def claude(self) -> Claude:
        return self._claude

    def name(self, request: ClaudeRequest) -> str:
        return self._name(request)

    def microusd(self, model: str, quote: Quote) -> int:
        return self._prices.most(
            model, prompt_tokens=quote.prompt_tokens, output_tokens=quote.output_tokens, batch=self._batch
        )

    def output_tokens(self, model: str, quote: Quote, microusd: int) -> int:
        """How many of them so much money pays for, beside the prompt; at least one."""
        affordable = self._prices.output_tokens(
            model, prompt_tokens=quote.prompt_tokens, microusd=microusd, batch=self._batch
        )
        return max(1, affordable)

    async def fitting(self, model: str, request: ClaudeRequest, quote: Quote, microusd: int) -> Quote | None:
        """The quote, with less output where there is not so much money; counted exactly before that is too little."""
        affordable = self._prices.output_tokens(
            model, prompt_tokens=quote.prompt_tokens, microusd=microusd, batch=self._batch
        )
        if affordable >= min(LEAST_OUTPUT_TOKENS, request.max_output_tokens):
            return replace(quote, output_tokens=min(affordable, request.max_output_tokens))
        tokens = None if quote.counted or self._count_tokens is None else await self._count_tokens(request)
        if tokens is None:
            return None
        fewer = min(quote.prompt_tokens, most_of_counted(tokens))
        return await self.fitting(model, request, replace(quote, prompt_tokens=fewer, counted=True), microusd)


class _Held(Struct, frozen=True, kw_only=True):
    id: str
    request: ClaudeRequest


class _PaidClaude:
    """Implements `Claude`."""

    def __init__(self, budget: Budget, purse: Purse, account: Account) -> None:
        self._budget = budget
        self._purse = purse
        self._account = account

    @property
    def max_output_tokens(self) -> int:
        return self._budget.claude.max_output_tokens

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        """Every attempt is paid for in advance."""
        paid: tuple[CallUsage, ...] = ()
        for attempt in range(_ATTEMPTS):
            try:
                reply = await self._ask_once(request)
            except ClaudeFailed as failure:
                paid = failure.calls = (*paid, *failure.calls)
                if not isinstance(failure, BrokeOff) or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return replace(reply, calls=(*paid, *reply.calls))
        raise AssertionError("the last attempt returns or raises")

    async def _ask_once(self, request: ClaudeRequest) -> ClaudeReply:
        held = await self._hold(request)
        try:
            reply = await self._budget.claude.ask(held.request)
        except ClaudeFailed as failure:
            await self._purse.settle(held.id, _cost(failure.calls))
            raise
        except BaseException:
            self._purse.leave(held.id)
            raise
        await self._purse.settle(held.id, _cost(reply.calls))
        if reply.stop is StopReason.MAX_TOKENS and held.request.max_output_tokens < request.max_output_tokens:
            raise self._cut_short(held.request, reply)
        return reply

    async def _hold(self, request: ClaudeRequest) -> _Held:
        quote = Quote(prompt_tokens=most_prompt_tokens(request), output_tokens=request.max_output_tokens)
        answer = await self._reserve(request, quote)
        if isinstance(answer, _Held):
            return answer
        line = self._purse.line(self._account, answer.scarce)
        async with line.first:
            return await self._hold_in_line(request, quote, line, answer)

    async def _hold_in_line(self, request: ClaudeRequest, quote: Quote, line: Line, refused: CapReached) -> _Held:
        while True:
            news = self._purse.news
            left = refused.free if line.in_vain(refused) else refused.unspent
            fitting = await self._budget.fitting(request.model, request, quote, left)
            if fitting is None:
                raise self._cap_reached(request, quote, refused)
            answer = await self._reserve(request, fitting)
            if isinstance(answer, _Held):
                return answer
            quote, refused = replace(fitting, output_tokens=request.max_output_tokens), answer
            await line.wait(news)

    async def _reserve(self, request: ClaudeRequest, quote: Quote) -> _Held | CapReached:
        reservation_id = self._budget.name(request)
        answer = await self._purse.reserve(reservation_id, self._account, self._budget.microusd(request.model, quote))
        if not isinstance(answer, Reserved):
            return answer
        # One that was made before holds what it held then.
        limit = min(quote.output_tokens, self._budget.output_tokens(request.model, quote, answer.microusd))
        wanted = request.wanted_output_tokens or request.max_output_tokens
        paid_once = replace(request, max_output_tokens=limit, wanted_output_tokens=wanted, pay_once=True)
        return _Held(id=reservation_id, request=paid_once)

    def _cap_reached(self, request: ClaudeRequest, quote: Quote, refused: CapReached) -> ClaudeFailed:
        least = replace(quote, output_tokens=min(LEAST_OUTPUT_TOKENS, request.max_output_tokens))
        needed = self._budget.microusd(request.model, least)
        reserved = refused.unspent - refused.free
        held = f" ({_dollars(reserved)} of it are reserved)" if reserved and refused.level is refused.scarce else ""
        message = (
            f"the cap of this {refused.level} ({_dollars(refused.cap)}) leaves {_dollars(refused.unspent)}{held}, "
            f"and this call can cost {_dollars(needed)}"
        )
        kind = JobCapReached if refused.level is CapLevel.JOB else ClaudeFailed
        return kind(FailureCode.COST_CAP_REACHED, message, retryable=True)

    def _cut_short(self, held: ClaudeRequest, reply: ClaudeReply) -> ClaudeFailed:
        message = f"what a cap had left allowed a reply of {held.max_output_tokens} tokens, and that was too short"
        return ClaudeFailed(FailureCode.COST_CAP_REACHED, message, retryable=True, calls=reply.calls)


def _cost(calls: tuple[CallUsage, ...]) -> int:
    return sum(call.cost_microusd for call in calls)


def _dollars(microusd: int) -> str:
    return f"${microusd / 1_000_000:.4f}"
