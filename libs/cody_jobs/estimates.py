"""What would be asked, and what that would cost, before anything is asked."""

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
    answer is known, and costs nothing. Tokens are input and output of all `calls`, caches included. `counted`: the API
    has counted the tokens of some files; otherwise they follow from bytes alone. `notes` say what it leaves out."""

    repository: str
    model: str
    candidates: int
    known: int
    matches: int
    counted: bool
    calls: Range
    input_tokens: Range
    output_tokens: Range
    cost_microusd: Range
    notes: tuple[str, ...] = ()


class JobEstimate(Struct, frozen=True, kw_only=True, rename="camel"):
    """The sum over the `repositories` (how many) that have an estimate. `model` is None where there is none, `counted`
    where all that is asked rests on counted tokens."""

    model: str | None = None
    repositories: int = 0
    candidates: int = 0
    known: int = 0
    matches: int = 0
    counted: bool = False
    calls: Range = Range()
    input_tokens: Range = Range()
    output_tokens: Range = Range()
    cost_microusd: Range = Range()
