"""Guess what a repository would cost from what is known without asking: its candidates, their bytes and matches.

Three guesses are made, with the numbers below: a good day, an ordinary one, a bad one. Source code has three to four
bytes to a token; `benchmarks/` and the usage of real jobs are where better numbers come from.
"""

from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.estimates import Range, RepositoryEstimate
from cody_worker.claude.prices import Prices, TokenCounts

_SMALLEST_CACHED_PREFIX = 1_024
"""Tokens; a shorter beginning is not kept in the cache by most models."""


class FileFacts(Struct, frozen=True, kw_only=True):
    """`size` is how many bytes of it would be sent: all, or the surroundings of its matches."""

    size: int
    matches: int


class Asking(Struct, frozen=True, kw_only=True):
    """How files are asked about: `prefix` are the bytes that all requests begin with (instructions, tools, plan). What
    the API has counted for some files, in tokens for each byte, goes for all."""

    model: str
    prefix: int
    tokens_per_byte: float | None = None
    batch: bool = False


class _Guess(Struct, frozen=True, kw_only=True):
    """Calls for each file, and output tokens for each call: some for the reply as such (thinking too), some for each
    match. `cached`: the part of the prefixes that is read from the cache."""

    tokens_per_byte: float
    counted: float
    calls: float
    reply: int
    match: int
    cached: float


_LOW = _Guess(tokens_per_byte=0.24, counted=0.97, calls=1.0, reply=150, match=40, cached=1.0)
_EXPECTED = _Guess(tokens_per_byte=0.3, counted=1.0, calls=1.1, reply=400, match=100, cached=0.95)
_HIGH = _Guess(tokens_per_byte=0.45, counted=1.1, calls=2.0, reply=2_000, match=300, cached=0.0)


class _Guessed(Struct, frozen=True, kw_only=True):
    input_tokens: int
    output_tokens: int
    cost: int


def estimate_repository(
    repository: str, files: Sequence[FileFacts], asking: Asking, prices: Prices, *, known: int = 0
) -> RepositoryEstimate:
    """`files` are those that nobody has asked about yet, `known` how many others there are."""
    guessed = [_guess(files, asking, prices, guess) for guess in (_LOW, _EXPECTED, _HIGH)]
    return RepositoryEstimate(
        repository=repository,
        candidates=len(files),
        known=known,
        matches=sum(file.matches for file in files),
        input_tokens=_range([one.input_tokens for one in guessed]),
        output_tokens=_range([one.output_tokens for one in guessed]),
        cost_microusd=_range([one.cost for one in guessed]),
    )


def _guess(files: Sequence[FileFacts], asking: Asking, prices: Prices, guess: _Guess) -> _Guessed:
    """Prompts are priced one by one: a long one may have a price of its own."""
    ratio = guess.tokens_per_byte if asking.tokens_per_byte is None else asking.tokens_per_byte * guess.counted
    prefix = round(asking.prefix * ratio)
    prompt, output, cost = 0.0, 0.0, 0.0
    for number, file in enumerate(files):
        tokens = _call(prefix, round(file.size * ratio), file, guess, first=number == 0, hour=asking.batch)
        prompt += tokens.prompt * guess.calls
        output += tokens.output * guess.calls
        cost += prices.cost(asking.model, tokens, batch=asking.batch) * guess.calls
    return _Guessed(input_tokens=round(prompt), output_tokens=round(output), cost=round(cost))


def _call(prefix: int, own: int, file: FileFacts, guess: _Guess, *, first: bool, hour: bool) -> TokenCounts:
    output = guess.reply + guess.match * max(1, file.matches)
    if prefix < _SMALLEST_CACHED_PREFIX:
        return TokenCounts(input=prefix + own, cache_creation=0, cache_read=0, output=output)
    read = 0 if first else round(prefix * guess.cached)
    written = prefix - read
    return TokenCounts(
        input=own,
        cache_creation=written,
        cache_creation_hour=written if hour else 0,
        cache_read=read,
        output=output,
    )


def _range(guessed: Sequence[int]) -> Range:
    low, expected, high = guessed
    return Range(low=low, expected=expected, high=high)
