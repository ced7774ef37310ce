"""Guess what a repository would cost from what is known without asking: the requests, their bytes and matches.

Three guesses are made, with the numbers below: a good day, an ordinary one, a bad one. Source code has three to four
bytes to a token; `benchmarks/` and the usage of real jobs are where better numbers come from.
"""

from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.estimates import Range, RepositoryEstimate
from cody_worker.claude.prices import Prices, TokenCounts
from cody_worker.edit.warm_cache import shortest_cached


class RequestFacts(Struct, frozen=True, kw_only=True):
    """One request about `files` files, in which the plan has so many `matches`. `size` are its bytes behind what all
    requests begin with."""

    size: int
    files: int = 1
    matches: int = 0


class Asking(Struct, frozen=True, kw_only=True):
    """How files are asked about: `prefix` are the bytes that all requests begin with (instructions, tools, plan), of
    which nobody has sent the last `cold` ones before. What the API has counted for some prompts, in tokens for each
    byte, goes for all. `judge` are the bytes of what the judge is asked, without the diff; None: it is not asked."""

    model: str
    prefix: int
    cold: int
    tokens_per_byte: float | None = None
    batch: bool = False
    judge: int | None = None


class _Guess(Struct, frozen=True, kw_only=True):
    """`calls` for each request. Output tokens: some for each reply (thinking too), each file and each match. `cached`:
    the part of what was sent before that is read from the cache; `cold`: the part of what was not that is new to the
    cache all the same, as workers do not know of each other. `judged` are calls of the judge."""

    tokens_per_byte: float
    counted: float
    calls: float
    reply: int
    file: int
    match: int
    cached: float
    cold: float
    judged: int


_LOW = _Guess(tokens_per_byte=0.24, counted=0.97, calls=1.0, reply=0, file=25, match=10, cached=1.0, cold=0.0, judged=0)
_EXPECTED = _Guess(
    tokens_per_byte=0.3, counted=1.0, calls=1.1, reply=250, file=150, match=100, cached=0.95, cold=1.0, judged=1
)
_HIGH = _Guess(
    tokens_per_byte=0.45, counted=1.1, calls=2.0, reply=1_500, file=500, match=300, cached=0.0, cold=1.0, judged=1
)
_DIFF_TOKENS_OF_MATCH = 80
"""A hunk's head and the lines around a change, in what the judge is shown."""


class _Guessed(Struct, frozen=True, kw_only=True):
    calls: int
    input_tokens: int
    output_tokens: int
    cost: int


def estimate_repository(
    repository: str,
    requests: Sequence[RequestFacts],
    asking: Asking,
    prices: Prices,
    *,
    known: int = 0,
    notes: Sequence[str] = (),
) -> RepositoryEstimate:
    """`requests` are about files that nobody has asked about yet; `known` is how many others there are."""
    guessed = [_guess(requests, asking, prices, guess, known=known) for guess in (_LOW, _EXPECTED, _HIGH)]
    return RepositoryEstimate(
        repository=repository,
        model=asking.model,
        candidates=sum(request.files for request in requests),
        known=known,
        matches=sum(request.matches for request in requests),
        counted=asking.tokens_per_byte is not None,
        calls=_range([one.calls for one in guessed]),
        input_tokens=_range([one.input_tokens for one in guessed]),
        output_tokens=_range([one.output_tokens for one in guessed]),
        cost_microusd=_range([one.cost for one in guessed]),
        notes=tuple(notes),
    )


def _guess(requests: Sequence[RequestFacts], asking: Asking, prices: Prices, guess: _Guess, *, known: int) -> _Guessed:
    """Prompts are priced one by one: a long one may have a price of its own."""
    ratio = guess.tokens_per_byte if asking.tokens_per_byte is None else asking.tokens_per_byte * guess.counted
    calls, prompt, output, cost = 0.0, 0.0, 0.0, 0.0
    for number, request in enumerate(requests):
        tokens = _call(request, asking, guess, ratio, first=number == 0)
        calls += guess.calls
        prompt += tokens.prompt * guess.calls
        output += tokens.output * guess.calls
        cost += prices.cost(asking.model, tokens, batch=asking.batch) * guess.calls
    if asking.judge is not None and (requests or known):
        verdict = _verdict(requests, asking.judge * ratio, guess)
        calls += guess.judged
        prompt += verdict.prompt * guess.judged
        output += verdict.output * guess.judged
        cost += prices.cost(asking.model, verdict, batch=asking.batch) * guess.judged
    return _Guessed(calls=round(calls), input_tokens=round(prompt), output_tokens=round(output), cost=round(cost))


def _call(request: RequestFacts, asking: Asking, guess: _Guess, ratio: float, *, first: bool) -> TokenCounts:
    output = guess.reply + guess.file * request.files + guess.match * max(request.files, request.matches)
    prefix, own = round(asking.prefix * ratio), round(request.size * ratio)
    if prefix < shortest_cached(asking.model):
        return TokenCounts(input=prefix + own, cache_creation=0, cache_read=0, output=output)
    cold = round(asking.cold * ratio * guess.cold) if first else 0
    read = round((prefix - cold) * guess.cached)
    written = prefix - read
    return TokenCounts(
        input=own,
        cache_creation=written,
        cache_creation_hour=written if asking.batch else 0,
        cache_read=read,
        output=output,
    )


def _verdict(requests: Sequence[RequestFacts], asked: float, guess: _Guess) -> TokenCounts:
    """The diff has what Claude has written, and what is around it."""
    changes = sum(max(request.files, request.matches) for request in requests)
    diff = changes * (guess.match + _DIFF_TOKENS_OF_MATCH)
    return TokenCounts(input=round(asked) + diff, cache_creation=0, cache_read=0, output=guess.reply + guess.file)


def _range(guessed: Sequence[int]) -> Range:
    low, expected, high = guessed
    return Range(low=low, expected=expected, high=high)
