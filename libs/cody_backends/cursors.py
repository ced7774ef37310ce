"""Where the next page begins, as a text that says nothing to a client."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from cody_jobs.errors import JobRejected

_Text = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")]


class JobCursor(Struct, frozen=True, kw_only=True, tag="jobs", tag_field="of"):
    """The last job shown."""

    at: Annotated[datetime, Meta(tz=True)]
    id: _Text


class RunCursor(Struct, frozen=True, kw_only=True, tag="runs", tag_field="of"):
    """The last run shown."""

    position: Annotated[int, Meta(ge=0, lt=2**31)]


class PathCursor(Struct, frozen=True, kw_only=True, tag="paths", tag_field="of"):
    """The last file shown."""

    path: _Text


C = TypeVar("C", bound=Struct)


def write_cursor(cursor: Struct) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str | None, kind: type[C]) -> C | None:
    """None for the first page. Raises `JobRejected` for what `write_cursor` did not make, or not for this listing."""
    if text is None:
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise JobRejected("this cursor is not one of ours") from error
