"""Repositories that have another name or owner now: GitHub answers with the way to them."""

import re
from urllib.parse import urljoin

from msgspec import Struct

from cody_hosts.github.wire import Reply, Wire
from cody_jobs.errors import Unavailable

_REPOSITORY = re.compile(r"^(.*?/(?:repositories/[0-9]+|repos/[^/]+/[^/?]+))(?:[/?].*)?$")


class Moved(Struct, frozen=True, kw_only=True):
    full_name: str


def new_place(reply: Reply, wire: Wire) -> str:
    """Raises `Unavailable` where the way leads to somebody else, who is not to have our token."""
    url = urljoin(f"{wire.addresses.rest}/", reply.headers.get("location", ""))
    if not reply.headers.get("location") or not wire.is_ours(url):
        raise Unavailable(wire.addresses.host, f"answered {reply.status} and leads elsewhere")
    return url


def repository_part(url: str) -> str:
    """The address of the repository itself."""
    found = _REPOSITORY.match(url)
    return found.group(1) if found else url
