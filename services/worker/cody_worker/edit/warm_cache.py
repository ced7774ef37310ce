"""Let one request fill Claude's cache with what all of them share before the others are sent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from cody_worker.claude import Claude, ClaudeReply, ClaudeRequest

_CHARACTERS_PER_TOKEN = 4

# The shortest prefix that is cached, in tokens; longest names first. Source: Anthropic's pages on prompt caching.
_MINIMUM = (
    ("claude-haiku", 4_096),
    ("claude-opus", 4_096),
    ("claude-sonnet", 1_024),
)
_SMALLEST = 512


class WarmCache:
    """One per worker. A prefix that is too short to be cached is not waited for; without `waits`, none is: in a batch,
    no answer begins before the others."""

    def __init__(self, *, waits: bool = True) -> None:
        self._waits = waits
        self._begun: dict[tuple[str, bytes], asyncio.Event] = {}

    @asynccontextmanager
    async def sharing(self, model: str, prefix: bytes) -> AsyncGenerator[asyncio.Event | None]:
        """Whoever comes first gets an event, to be set when the answer begins; all others wait for that, or for the
        first one's end."""
        if not self._waits or len(prefix) // _CHARACTERS_PER_TOKEN < shortest_cached(model):
            yield None
            return
        begun = self._begun.get((model, prefix))
        if begun is not None:
            await begun.wait()
            yield None
            return
        begun = self._begun[model, prefix] = asyncio.Event()
        try:
            yield begun
        finally:
            begun.set()


class AnnouncingClaude:
    """Implements `Claude`: sets an event when an answer begins."""

    def __init__(self, claude: Claude, begun: asyncio.Event) -> None:
        self._claude = claude
        self._begun = begun

    @property
    def max_output_tokens(self) -> int:
        return self._claude.max_output_tokens

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        return await self._claude.ask(replace(request, on_begin=self._begun.set))


def shortest_cached(model: str) -> int:
    """In tokens."""
    return next((tokens for name, tokens in _MINIMUM if name in model), _SMALLEST)
