"""What the judge says of a repository's diff."""

from msgspec import Struct


class Doubt(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something in the diff of `path` that the prompt did not ask for, or that it asked for and is missing there."""

    path: str
    text: str


class Verdict(Struct, frozen=True, kw_only=True, rename="camel"):
    """`meets`: the diff is what the prompt asks for. `reason` is one sentence; `shown_whole` is false when the diff was
    too long to be judged in full, and `meets` is about the part that was shown."""

    meets: bool
    reason: str
    doubts: tuple[Doubt, ...] = ()
    shown_whole: bool = True


class NoVerdict(Struct, frozen=True, kw_only=True):
    """There was no opinion to be had."""

    reason: str
