"""What the stand-in was asked, for tests that count."""

from collections.abc import Mapping, Sequence

from msgspec import Struct


class Logged(Struct, frozen=True, kw_only=True, rename="camel"):
    """`at`: seconds since the stand-in's start; `status` 0: the answer was lost on purpose. `content`: it counted for
    the content limits; `limited`: it was refused for a limit."""

    number: int
    method: str
    path: str
    identity: str
    at: float
    status: int
    content: bool = False
    limited: bool = False


class Stats(Struct, frozen=True, kw_only=True, rename="camel"):
    """Since the start or the last reset. `pushes` counts refs that a push moved; `asked_while_limited` has how often
    each identity asked for content while it was limited."""

    requests: int
    pulls: int
    forks: int
    pushes: int
    comments: int
    content: int
    limited: int
    asked_while_limited: Mapping[str, int]
    locked_out: Sequence[str]
    content_times: Sequence[float]
