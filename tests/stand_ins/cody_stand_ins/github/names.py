"""Ids, addresses and times as GitHub writes them."""

from datetime import UTC, datetime

from msgspec import Struct


class Links(Struct, frozen=True, kw_only=True):
    """Where this server is, as whoever asks calls it: `api` for REST, `html` for pages and repositories."""

    api: str = "http://127.0.0.1/api/v3"
    html: str = "http://127.0.0.1"


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_stamp(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


def node_id(kind: str, number: int) -> str:
    """Opaque for whoever asks; `PR_kwDO42` for us."""
    return f"{kind}_kwDO{number}"


def number_of(node: str) -> tuple[str, int]:
    """Kind and number of a node id. Raises ValueError."""
    kind, separator, number = node.partition("_kwDO")
    if not separator:
        raise ValueError(node)
    return kind, int(number)
