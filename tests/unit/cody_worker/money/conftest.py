"""A budget over a real database, and a Claude that knows what it was paid."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import pytest
from msgspec import Raw

from cody_backends.postgres.database import Database
from cody_backends.postgres.money_store import PostgresMoneyStore
from cody_jobs.outcomes import CallUsage, ThreadMessage
from cody_jobs.ports.money_store import Caps
from cody_worker.claude import ClaudeReply, ClaudeRequest, StopReason, TextBlock
from cody_worker.claude.count_tokens import CountTokens
from cody_worker.claude.prices import Prices, TokenCounts
from cody_worker.money import Budget
from cody_worker.money.purse import Waiting

JOB, REPOSITORY, MODEL = "job-a", "owner/one", "claude-sonnet-5-5"
QUICK = Waiting(poll=0.01, patience=0.05)

Answer = Callable[[ClaudeRequest], Awaitable[ClaudeReply]]


def asked(text: str = "x" * 500, *, output: int = 10_000) -> ClaudeRequest:
    content = Raw(b'"' + text.encode() + b'"')
    return ClaudeRequest(
        model=MODEL,
        messages=(ThreadMessage(role="user", content=content),),
        tools=Raw(b"[]"),
        max_output_tokens=output,
    )


class PayingClaude:
    """Answers with as many tokens as it is told, and counts what that costs; `hold` keeps it from answering."""

    def __init__(self) -> None:
        self.prompt, self.output = 100, 200
        self.spent = 0
        self.requests: list[ClaudeRequest] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self.answer: Answer | None = None
        self._numbers = itertools.count()

    @property
    def max_output_tokens(self) -> int:
        return 10_000

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        self.requests.append(request)
        if self.answer is not None:
            return await self.answer(request)
        await self.answering.wait()
        return self.reply(self.call(self.prompt, min(self.output, request.max_output_tokens)))

    def reply(self, *calls: CallUsage, stop: StopReason = StopReason.END_TURN) -> ClaudeReply:
        return ClaudeReply(content=Raw(b"[]"), blocks=(TextBlock(text="done"),), stop=stop, calls=calls)

    def call(self, prompt: int, output: int) -> CallUsage:
        """It costs something from here on."""
        tokens = TokenCounts(input=0, cache_creation=prompt, cache_read=0, output=output)
        cost = Prices().cost(MODEL, tokens)
        self.spent += cost
        return CallUsage(
            request_id=f"req-{next(self._numbers)}",
            model=MODEL,
            input_tokens=0,
            output_tokens=output,
            cache_creation_input_tokens=prompt,
            cache_read_input_tokens=0,
            cost_microusd=cost,
            latency_ms=1,
            at=datetime.now(UTC),
        )


@pytest.fixture
def claude() -> PayingClaude:
    return PayingClaude()


@pytest.fixture
def money(database: Database) -> PostgresMoneyStore:
    return PostgresMoneyStore(database)


class OpenBudget(Protocol):
    def __call__(
        self, caps: Caps, *, waiting: Waiting = ..., count_tokens: CountTokens | None = ..., owner: str = ...
    ) -> Budget: ...


@pytest.fixture
def budget_with(claude: PayingClaude, money: PostgresMoneyStore) -> OpenBudget:
    return partial(open_budget, claude, money)


_numbers = itertools.count()


def open_budget(
    claude: PayingClaude,
    money: PostgresMoneyStore,
    caps: Caps,
    *,
    waiting: Waiting = QUICK,
    count_tokens: CountTokens | None = None,
    owner: str = "worker-1",
    job_id: str = JOB,
) -> Budget:
    return Budget(
        claude,
        money,
        Prices(),
        job_id=job_id,
        caps=caps,
        owner=owner,
        name=lambda _: f"call-{next(_numbers)}",
        count_tokens=count_tokens,
        waiting=waiting,
    )
