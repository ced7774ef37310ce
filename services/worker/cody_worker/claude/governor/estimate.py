"""What a call will use, guessed from its bytes and from what calls like it have used.

Input that Claude reads from its cache does not count towards the limit of most models, so what is before a cache mark
that an answered call had, too, is left out. For models where it counts (older ones), the headers say so soon enough.
Calls that start before the first one with their mark is answered count in full, and get the difference back.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator

from cody_jobs.ports.room_store import Room
from cody_worker.claude.claude import ClaudeRequest
from cody_worker.claude.prices import TokenCounts

_TOKENS_PER_BYTE = 0.3
_OUTPUT_TOKENS = 1_000.0
_SLOWEST = 20
_MORE_OUTPUT = 1.1
_CACHED_SECONDS = 270.0
"""A little less than the five minutes that Claude keeps what nobody reads."""
_MOST_MARKS = 1_000
_MARK = b'"cache_control"'


class Estimate:
    """For the calls of one model. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens_per_byte = _Mean(_TOKENS_PER_BYTE)
        self._output = _Mean(_OUTPUT_TOKENS)
        self._cached: OrderedDict[bytes, float] = OrderedDict()

    def before(self, request: ClaudeRequest) -> Room:
        size = _size(request) - self._cached_bytes(request)
        return Room(
            requests=1,
            input_tokens=max(1.0, size * self._tokens_per_byte.value),
            output_tokens=min(float(request.max_output_tokens), self._output.value * _MORE_OUTPUT),
        )

    def answered(self, request: ClaudeRequest, tokens: TokenCounts) -> None:
        self._tokens_per_byte.add(tokens.prompt / max(1, _size(request)))
        self._output.add(tokens.output)
        if tokens.cache_read or tokens.cache_creation:
            for mark, _ in _marks(request):
                self._cached[mark] = self._clock()
                self._cached.move_to_end(mark)
        while len(self._cached) > _MOST_MARKS:
            self._cached.popitem(last=False)

    def _cached_bytes(self, request: ClaudeRequest) -> int:
        since = self._clock() - _CACHED_SECONDS
        return max((size for mark, size in _marks(request) if self._cached.get(mark, since) > since), default=0)


def counted(tokens: TokenCounts) -> Room:
    """What a call has used of the limits."""
    return Room(requests=1, input_tokens=tokens.input + tokens.cache_creation, output_tokens=tokens.output)


class _Mean:
    """Of the last values: the first one replaces the guess, later ones count less and less, down to a twentieth."""

    def __init__(self, guess: float) -> None:
        self.value = guess
        self._count = 0

    def add(self, value: float) -> None:
        self._count = min(_SLOWEST, self._count + 1)
        self.value += (value - self.value) / self._count


def _size(request: ClaudeRequest) -> int:
    return sum(len(bytes(message.content)) for message in request.messages) + len(bytes(request.tools))


def _marks(request: ClaudeRequest) -> Iterator[tuple[bytes, int]]:
    """For each cache mark: a digest of all that is before it, and how many bytes that is."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    for part in (request.tools, *(message.content for message in request.messages)):
        before, *after = bytes(part).split(_MARK)
        digest.update(before)
        size += len(before)
        for piece in after:
            yield digest.digest(), size
            digest.update(piece)
            size += len(piece)
