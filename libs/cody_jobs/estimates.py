"""What a job would ask, and what that would cost, before anything is asked."""

from msgspec import Struct


class Range(Struct, frozen=True, kw_only=True):
    """`expected` lies between what it will hardly be less than and what it will hardly be more than."""

    low: int = 0
    expected: int = 0
    high: int = 0

    def __add__(self, other: "Range") -> "Range":
        return Range(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)


class RepositoryEstimate(Struct, frozen=True, kw_only=True, rename="camel"):
    """`candidates` are files that would be asked about, `matches` what was found in them; `known` are files more whose
    answer is known, and costs nothing. Tokens are input and output of all calls, caches included."""

    repository: str
    candidates: int
    known: int
    matches: int
    input_tokens: Range
    output_tokens: Range
    cost_microusd: Range


class Estimate(Struct, frozen=True, kw_only=True, rename="camel"):
    """`counted`: tokens were counted by the API for some of the files; otherwise they follow from bytes alone."""

    model: str
    counted: bool
    repositories: tuple[RepositoryEstimate, ...]
    input_tokens: Range
    output_tokens: Range
    cost_microusd: Range


def sum_up(model: str, repositories: tuple[RepositoryEstimate, ...], *, counted: bool) -> Estimate:
    return Estimate(
        model=model,
        counted=counted,
        repositories=repositories,
        input_tokens=sum((one.input_tokens for one in repositories), Range()),
        output_tokens=sum((one.output_tokens for one in repositories), Range()),
        cost_microusd=sum((one.cost_microusd for one in repositories), Range()),
    )
