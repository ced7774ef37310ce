"""How many tokens a byte of a job's prompts has: counted for a few of them, true enough for all."""

import asyncio

from cody_worker.claude import ClaudeRequest
from cody_worker.claude.count_tokens import CountTokens
from cody_worker.money.prompt_size import prompt_bytes

_PROMPTS = 3


class TokensPerByte:
    """One per worker. Whoever could not tell once is not asked again."""

    def __init__(self, count_tokens: CountTokens | None) -> None:
        self._count_tokens = count_tokens
        self._turn = asyncio.Lock()
        self._prompts = 0
        self._tokens = 0
        self._bytes = 0

    @property
    def value(self) -> float | None:
        return self._tokens / self._bytes if self._bytes else None

    async def learn(self, request: ClaudeRequest) -> None:
        async with self._turn:
            if self._count_tokens is None or self._prompts == _PROMPTS:
                return
            tokens = await self._count_tokens(request)
            if tokens is None:
                self._count_tokens = None
                return
            self._prompts += 1
            self._tokens += tokens
            self._bytes += prompt_bytes(request)
