"""Texts as PostgreSQL can hold them."""

from typing import overload

import msgspec

from cody_jobs.models import Failure


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    """The text with U+FFFD for U+0000, which a `text` column refuses (a reply or an error message may hold one)."""
    return text.replace("\0", "\ufffd") if text else text


def storable_failure(failure: Failure | None) -> Failure | None:
    return failure and msgspec.structs.replace(failure, message=storable(failure.message))
