"""The one place where HTTP is spoken: headers, timeouts, ETags, and the connection's errors translated."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from cody_hosts.github.addresses import Addresses
from cody_hosts.github.credentials import Credential
from cody_hosts.github.errors import Subject, translated
from cody_hosts.github.etags import ETags, Kept
from cody_jobs.errors import Unavailable

API_VERSION = "2022-11-28"
JSON = "application/vnd.github+json"
_USER_AGENT = "cody-batch"
_TIMEOUT = httpx.Timeout(30.0, connect=10.0, pool=None)
_MOST_BYTES = 64 << 20


class Outgoing(Struct, frozen=True, kw_only=True):
    """`url` is a path below the REST address, or a whole address below GitHub's own."""

    method: str
    url: str
    params: Mapping[str, str] = {}
    body: bytes | None = None
    accept: str = JSON


class Reply(Struct, frozen=True, kw_only=True):
    """What came back; after a 304, what is known from before. `cached` says so. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    cached: bool = False

    def link(self, relation: str) -> str | None:
        """An address of the header `Link`."""
        links = httpx.Response(200, headers={"link": self.headers.get("link", "")}).links
        return links.get(relation, {}).get("url")


class Wire:
    def __init__(self, http: httpx.AsyncClient, addresses: Addresses, etags: ETags) -> None:
        self.addresses = addresses
        self._http = http
        self._etags = etags

    async def send(self, outgoing: Outgoing, credential: Credential, subject: Subject) -> Reply:
        """One request, once. Raises `Unavailable`, or `PerhapsDone`, for what the connection does alone."""
        url, headers = self._url(outgoing.url), self._headers(outgoing, credential)
        key = (credential.lane, outgoing.accept, url, *(f"{k}={v}" for k, v in sorted(outgoing.params.items())))
        kept = self._etags.find(key) if outgoing.method == "GET" else None
        if kept is not None:
            headers["if-none-match"] = kept.etag
        with translated(subject):
            reply = await self._exchange(outgoing, url, headers)
        if kept is not None and reply.status == 304:
            return Reply(status=200, headers={**kept.headers, **reply.headers}, content=kept.content, cached=True)
        if outgoing.method == "GET":
            self._remember(key, reply)
        return reply

    async def tail(self, url: str, subject: Subject, *, most: int) -> bytes:
        """The last bytes of a text elsewhere, which is asked for without our token."""
        found = b""
        with translated(subject):
            async with self._http.stream("GET", url, headers={"user-agent": _USER_AGENT}) as response:
                if response.status_code != 200:
                    raise Unavailable(subject.host, f"answered {response.status_code} when we tried to {subject.what}")
                async for part in response.aiter_bytes():
                    found = (found + part)[-most:]
        return found

    def is_ours(self, url: str) -> bool:
        """Whether our token may go there."""
        there, home = urlsplit(url), urlsplit(self.addresses.rest)
        return (there.scheme, there.netloc) == (home.scheme, home.netloc)

    async def _exchange(self, outgoing: Outgoing, url: str, headers: Mapping[str, str]) -> Reply:
        request = self._http.build_request(
            outgoing.method, url, params=outgoing.params or None, content=outgoing.body, headers=headers
        )
        response = await self._http.send(request, stream=True)
        try:
            content = await _read(response)
        finally:
            await response.aclose()
        return Reply(status=response.status_code, headers=dict(response.headers), content=content)

    def _url(self, url: str) -> str:
        if url.startswith("/"):
            return self.addresses.rest + url
        if not self.is_ours(url):
            raise AssertionError("our token is for GitHub alone")
        return url

    def _headers(self, outgoing: Outgoing, credential: Credential) -> dict[str, str]:
        headers = {"accept": outgoing.accept, "x-github-api-version": API_VERSION, "user-agent": _USER_AGENT}
        if credential.token is not None:
            headers["authorization"] = f"Bearer {credential.token}"
        if outgoing.body is not None:
            headers["content-type"] = "application/json"
        return headers

    def _remember(self, key: tuple[str, ...], reply: Reply) -> None:
        etag = reply.headers.get("etag")
        if reply.status == 200 and etag:
            kept = {name: reply.headers[name] for name in ("link",) if name in reply.headers}
            self._etags.keep(key, Kept(etag=etag, content=reply.content, headers=kept))
        else:
            self._etags.drop(key)


@asynccontextmanager
async def open_wire(addresses: Addresses) -> AsyncGenerator[Wire]:
    async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as http:
        yield Wire(http, addresses, ETags())


async def _read(response: httpx.Response) -> bytes:
    parts, size = list[bytes](), 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise httpx.ReadError("the answer is too large", request=response.request)
    return b"".join(parts)
