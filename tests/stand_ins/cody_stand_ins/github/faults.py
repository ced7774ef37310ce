"""What goes wrong, and with which requests. By chance, the same for a seed and an order of requests."""

import random
import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class FaultKind(StrEnum):
    STATUS = "status"
    """Nothing is done; `status` and `message` are the answer."""
    ANSWER_LOST = "answer-lost"
    """The work is done, its answer never comes."""
    UNREACHABLE = "unreachable"
    """Nothing is done, and there is no answer."""
    DELAY = "delay"
    """The answer comes `seconds` later."""


class Fault(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`method`, `path`: regular expressions, the method's for all of it, the path's (with the prefix and without the
    query) for any part; `times`: the next so many requests; `share`: this part of them."""

    kind: FaultKind = FaultKind.STATUS
    method: str = ".*"
    path: str = ""
    times: int | None = None
    share: float | None = None
    status: int = 500
    message: str = "the stand-in was told to fail this request"
    headers: Mapping[str, str] = {}
    seconds: float = 0.0


class Faults(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    faults: tuple[Fault, ...] = ()
    seed: int = 0


class FaultChooser:
    """Which fault a request meets: the first that fits it."""

    def __init__(self, settings: Faults) -> None:
        self._faults = settings.faults
        self._left = [fault.times for fault in settings.faults]
        self._chance = random.Random(settings.seed)

    def choose(self, method: str, path: str) -> Fault | None:
        return next((fault for number, fault in enumerate(self._faults) if self._fits(number, method, path)), None)

    def _fits(self, number: int, method: str, path: str) -> bool:
        fault, left = self._faults[number], self._left[number]
        if left == 0 or not re.fullmatch(fault.method, method) or not re.search(fault.path, path):
            return False
        if fault.share is not None and self._chance.random() >= fault.share:
            return False
        if left is not None:
            self._left[number] = left - 1
        return True
