"""How long things take with batches, and how large a batch may be."""

from datetime import timedelta

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """Seconds, if not said otherwise. A batch is closed when nothing was added for `quiet`, or when it is full: the API
    takes 100,000 requests and 256 MB.

    It is looked at after `first_look`, then less and less often, up to every `rarest_look`. A request that gets no
    answer is sent `tries` times. `search`: so long a batch is looked for that may have been made, before it counts as
    never made. `patience`: so long Claude may fail to answer at all; a batch takes a day at most.
    """

    quiet: float = 2.0
    most_requests: int = 10_000
    most_bytes: int = 64_000_000
    first_look: float = 2.0
    rarest_look: float = 60.0
    tries: int = 4
    search: float = 120.0
    patience: float = 2 * 86_400.0
    lease: timedelta = timedelta(seconds=60)
    leave: float = 4.0
    """For what is being sent when the worker is asked to stop."""
