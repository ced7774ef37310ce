"""One request and its answer, free of the server that carries them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qs, unquote

import msgspec
from msgspec import Struct

from cody_stand_ins.github.refusal import Refusal

ENTERPRISE = "/api/v3"
_PAGE = 30
_LARGEST_PAGE = 100


class Answer(Struct, frozen=True, kw_only=True):
    """`body`: bytes as they are, or something to say in JSON; None for no body at all."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}


class Request(Struct, frozen=True, kw_only=True):
    """`path` is still quoted, and without the prefix of GitHub Enterprise, which `prefix` has: /api/v3 for REST, /api
    for GraphQL."""

    method: str
    path: str
    prefix: str
    query: Mapping[str, str]
    query_text: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def segments(self) -> Sequence[str]:
        return [unquote(part) for part in self.path.split("/")[1:]]

    @property
    def origin(self) -> str:
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    def json(self) -> dict[str, Any]:
        """The body as an object; none at all is an empty one."""
        found: Any
        try:
            found = msgspec.json.decode(self.body or b"{}")
        except msgspec.DecodeError as error:
            raise Refusal(400, "Problems parsing JSON") from error
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {"": found}

    def page(self, items: Sequence[Any]) -> tuple[list[Any], dict[str, str]]:
        """The page that was asked for, with its Link header."""
        size = min(_number(self.query.get("per_page"), _PAGE), _LARGEST_PAGE)
        number = _number(self.query.get("page"), 1)
        last = max(1, -(-len(items) // size))
        headers = {"link": self._links(number, last)} if last > 1 else {}
        return list(items[(number - 1) * size : number * size]), headers

    def _links(self, number: int, last: int) -> str:
        wanted = {"first": 1, "prev": number - 1, "next": number + 1, "last": last}
        if number <= 1:
            wanted = {"next": number + 1, "last": last}
        elif number >= last:
            wanted = {"first": 1, "prev": last if number > last else number - 1}
        return ", ".join(f'<{self._page_url(page)}>; rel="{name}"' for name, page in wanted.items())

    def _page_url(self, page: int) -> str:
        rest = "&".join(f"{name}={value}" for name, value in self._quoted_query() if name != "page")
        return f"{self.origin}{self.prefix}{self.path}?{rest}{'&' if rest else ''}page={page}"

    def _quoted_query(self) -> Sequence[tuple[str, str]]:
        pairs = [part.partition("=") for part in self.query_text.split("&") if part]
        return [(name, value) for name, _, value in pairs]


def read_request(method: str, raw_path: str, query: str, headers: Mapping[str, str], body: bytes) -> Request:
    prefix = next((one for one in (ENTERPRISE, "/api") if raw_path.startswith(f"{one}/")), "")
    return Request(
        method=method,
        path=raw_path.removeprefix(prefix),
        prefix=prefix,
        query={name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()},
        query_text=query,
        headers=headers,
        body=body,
    )


def _number(text: str | None, default: int) -> int:
    return max(1, int(text)) if text is not None and text.isdecimal() else default
