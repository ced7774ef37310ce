"""What goes wrong, and with which calls. By chance, the same for a seed and an order of calls."""

import random
from enum import StrEnum

from msgspec import Struct

from cody_stand_ins.batch.refusal import Refusal


class FaultKind(StrEnum):
    THROTTLED = "throttled"
    SERVER_ERROR = "server-error"
    DENIED = "denied"
    ANSWER_LOST = "answer-lost"
    """The call works, its answer never comes."""
    UNREACHABLE = "unreachable"
    """The call does not work, and there is no answer either."""


class Fault(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`operation`: of this one alone ("SubmitJob"); `times`: the next so many calls; `share`: this part of them."""

    kind: FaultKind
    operation: str | None = None
    times: int | None = None
    share: float | None = None


class Faults(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    faults: tuple[Fault, ...] = ()
    seed: int = 0


class FaultChooser:
    """Which fault a call meets: the first that fits it."""

    def __init__(self, settings: Faults) -> None:
        self._faults = settings.faults
        self._left = [fault.times for fault in settings.faults]
        self._chance = random.Random(settings.seed)

    def choose(self, operation: str) -> FaultKind | None:
        return next((fault.kind for number, fault in enumerate(self._faults) if self._fits(number, operation)), None)

    def _fits(self, number: int, operation: str) -> bool:
        fault, left = self._faults[number], self._left[number]
        if left == 0 or fault.operation not in {None, operation}:
            return False
        if fault.share is not None and self._chance.random() >= fault.share:
            return False
        if left is not None:
            self._left[number] = left - 1
        return True


def refusal_of(kind: FaultKind, service: str, operation: str) -> Refusal | None:
    """The error answer of this fault; None for one that has no answer."""
    match kind:
        case FaultKind.THROTTLED if service == "batch":
            return Refusal("TooManyRequestsException", "Too Many Requests", 429)
        case FaultKind.THROTTLED:
            return Refusal("ThrottlingException", "Rate exceeded")
        case FaultKind.SERVER_ERROR:
            return Refusal("ServerException", "the stand-in was told to fail this call", 500)
        case FaultKind.DENIED:
            said = f"User: stand-in is not authorized to perform: {service}:{operation}"
            return Refusal("AccessDeniedException", said, 403)
        case FaultKind.ANSWER_LOST | FaultKind.UNREACHABLE:
            return None
