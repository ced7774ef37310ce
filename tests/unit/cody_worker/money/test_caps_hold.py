"""200 files at 32 at once: what Claude has been paid, by its own count, never passes a cap."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cody_backends.postgres.money_store import PostgresMoneyStore
from cody_jobs.models import FailureCode
from cody_jobs.ports.money_store import Caps
from cody_worker.claude import BrokeOff, ClaudeFailed, ClaudeReply, ClaudeRequest
from cody_worker.money import Budget
from cody_worker.money.prompt_size import most_prompt_tokens
from tests.unit.cody_worker.money.conftest import PayingClaude, asked, open_budget

_FILES, _AT_ONCE, _REPOSITORIES = 200, 32, 5


class _Accounts:
    """What was paid for each file, repository and job, by whoever was paid, against the caps at every payment."""

    def __init__(self, caps: Caps) -> None:
        self.paid: Counter[tuple[str, ...]] = Counter()
        self._caps = caps

    def pay(self, repository: str, path: str, microusd: int) -> None:
        limits = {
            (): self._caps.job,
            (repository,): self._caps.repository,
            (repository, path): self._caps.file,
        }
        for account, cap in limits.items():
            self.paid[account] += microusd
            assert cap is None or self.paid[account] <= cap, f"{account} has spent {self.paid[account]} of {cap}"


class _Storm:
    """Files with random prompts and replies, of which some fail, break off or are cancelled after they were paid."""

    def __init__(self, seed: int, money: PostgresMoneyStore) -> None:
        self.job_id = f"job-{seed}"
        self.chance = random.Random(seed)
        self.caps = Caps(
            job=self.chance.randrange(500_000, 4_000_000),
            repository=self.chance.choice([None, self.chance.randrange(200_000, 900_000)]),
            file=self.chance.choice([None, self.chance.randrange(50_000, 200_000)]),
        )
        self.accounts = _Accounts(self.caps)
        self.claude = PayingClaude()
        self.claude.answer = self._answer
        self.budgets = [
            open_budget(self.claude, money, self.caps, owner=f"worker-{number}", job_id=self.job_id)
            for number in range(2)
        ]
        self.told = 0
        self.answered = 0
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        files = iter(range(_FILES))
        await asyncio.gather(*(self._work(files, self.budgets[number % 2]) for number in range(_AT_ONCE)))

    async def _work(self, files: Iterator[int], budget: Budget) -> None:
        for number in files:
            await self._file(number, budget)

    async def _file(self, number: int, budget: Budget) -> None:
        repository, path = f"owner/{number % _REPOSITORIES}", f"{number}.py"
        request = asked(f"{repository} {path} " + "x" * self.chance.randrange(20_000))
        task = asyncio.create_task(self._ask(budget, repository, path, request), name=path)
        self._asking[path] = task
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _ask(self, budget: Budget, repository: str, path: str, request: ClaudeRequest) -> None:
        with suppress(ClaudeFailed):
            await budget.for_file(repository, path).ask(request)
            self.answered += 1

    async def _answer(self, request: ClaudeRequest) -> ClaudeReply:
        repository, path = bytes(request.messages[0].content).decode().strip('"').split(" ")[:2]
        prompt = self.chance.randrange(100, most_prompt_tokens(request) + 1)
        output = self.chance.choice([1, request.max_output_tokens, self.chance.randrange(1, 3_000)])
        call = self.claude.call(prompt, min(output, request.max_output_tokens))
        self.accounts.pay(repository, path, call.cost_microusd)
        await asyncio.sleep(self.chance.choice([0, 0, 0.001, 0.003]))
        match self.chance.randrange(20):
            case 0:
                self.told += call.cost_microusd
                raise ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, "failed", calls=(call,))
            case 1 | 2:
                self.told += call.cost_microusd
                raise BrokeOff(FailureCode.CLAUDE_UNAVAILABLE, "broke off", calls=(call,))
            case 3:
                self._asking[path].cancel()
                await asyncio.sleep(0)
            case _:
                pass
        self.told += call.cost_microusd
        return self.claude.reply(call)


async def test_spend_never_passes_a_cap_and_the_books_are_exact(
    money: PostgresMoneyStore, pytestconfig: pytest.Config
) -> None:
    for seed in range(int(str(pytestconfig.getoption("--storms")))):
        storm = _Storm(seed, money)
        await storm.run()
        spent = storm.accounts.paid[()]
        books = await money.balance(storm.job_id)
        assert storm.answered, seed
        assert books.spent == storm.told, f"what was told is what is in the books, seed {seed}"
        assert storm.told <= spent <= books.spent + books.reserved <= (storm.caps.job or 0), seed
