"""Whether a failed attempt is followed by another."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

_PATTERNS = ("onExitCode", "onStatusReason", "onReason")


class RetryStrategy(Struct, frozen=True, kw_only=True):
    """`evaluate_on_exit` as AWS has it: the first entry decides all of whose patterns match; none: RETRY."""

    attempts: int = 1
    evaluate_on_exit: tuple[Mapping[str, str], ...] = ()

    def tries_again(
        self, attempt: int, *, exit_code: int | None, status_reason: str | None, reason: str | None
    ) -> bool:
        """`attempt` is the one that failed, from 1."""
        if attempt >= self.attempts:
            return False
        said = {
            "onExitCode": None if exit_code is None else str(exit_code),
            "onStatusReason": status_reason or "",
            "onReason": reason or "",
        }
        found = next((entry for entry in self.evaluate_on_exit if _matches(entry, said)), None)
        return found is None or found["action"].upper() == "RETRY"

    def told(self) -> dict[str, Any]:
        return {"attempts": self.attempts, "evaluateOnExit": list(self.evaluate_on_exit)}


def read_retry_strategy(body: Mapping[str, Any] | None) -> RetryStrategy:
    if not body:
        return RetryStrategy()
    return RetryStrategy(attempts=int(body.get("attempts", 1)), evaluate_on_exit=tuple(body.get("evaluateOnExit", ())))


def _matches(entry: Mapping[str, str], said: Mapping[str, str | None]) -> bool:
    return all(_fits(said[name], entry[name]) for name in _PATTERNS if name in entry)


def _fits(value: str | None, pattern: str) -> bool:
    """A pattern may end with `*`; brackets and question marks are themselves."""
    if value is None:
        return False
    plain = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(value.lower(), plain.lower())
