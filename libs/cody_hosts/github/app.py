"""A GitHub App as an identity: an installation per owner, and tokens that are for one repository and one use each."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus

import jwt
import msgspec
from msgspec import Struct

from cody_hosts.github.credentials import Access, Credential, Target
from cody_hosts.github.errors import Subject, judge, read_problem, words
from cody_hosts.github.limits import read_headers, read_refusal
from cody_hosts.github.wire import Outgoing, Reply, Wire
from cody_jobs.errors import JobFailed, SettingsError, Unavailable
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import Permission

_JWT_SECONDS = 540
"""GitHub takes no more than ten minutes."""
_CLOCK_DRIFT = 60
_RENEW_SECONDS = 300.0
_MOST_TOKENS = 5_000
_READS = ("contents", "metadata", "pull_requests", "issues", "checks", "statuses", "actions")
_WANTED: Mapping[Access, Mapping[str, str]] = {
    Access.CLONE: {"contents": "read", "metadata": "read"},
    Access.READ: dict.fromkeys(_READS, "read"),
    Access.WRITE: {
        **dict.fromkeys(_READS, "read"),
        "contents": "write",
        "pull_requests": "write",
        "issues": "write",
    },
}


class Installation(Struct, frozen=True, kw_only=True):
    """`permissions` are what the owner granted: a name, and read, write or admin."""

    id: int
    permissions: Mapping[str, str] = {}


class _Token(Struct, frozen=True, kw_only=True):
    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"_Token(expires_at={self.expires_at})"


class AppIdentity:
    """`key` is the App's private key (PEM)."""

    def __init__(self, app_id: str, key: str, wire: Wire, *, now: Callable[[], float] = time.time) -> None:
        self.name = f"App {app_id}"
        self.login: str | None = None
        self._app_id = app_id
        self._sign = _signer(key)
        self._wire = wire
        self._now = now
        self._installations: dict[str, Installation] = {}
        self._tokens: OrderedDict[tuple[str, str, Access], _Token] = OrderedDict()
        self._asking: defaultdict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)

    def __repr__(self) -> str:
        return f"AppIdentity({self._app_id!r})"

    async def credential(self, target: Target, access: Access) -> Credential:
        if target.owner is None:
            message = f"the GitHub {self.name} is installed by owners: name one, as in org:NAME"
            raise JobFailed(FailureCode.APP_NOT_INSTALLED, message)
        installation = await self._installation(target)
        token = await self._token(installation, target, access)
        lane = f"{self.name}, installation {installation.id}"
        return Credential(lane=lane, token=token.token, most=most_of(installation.permissions))

    def refused(self, credential: Credential) -> bool:
        for key, token in list(self._tokens.items()):
            if token.token == credential.token:
                del self._tokens[key]
                # The App may have been installed anew, with another number.
                self._installations.pop(key[0], None)
                return True
        return False

    async def _installation(self, target: Target) -> Installation:
        owner = (target.owner or "").lower()
        async with self._asking["installation", owner]:
            if owner not in self._installations:
                self._installations[owner] = await self._find(target)
            return self._installations[owner]

    async def _find(self, target: Target) -> Installation:
        places = [f"/repos/{target.repository}"] if target.name else [f"/orgs/{target.owner}", f"/users/{target.owner}"]
        for place in places:
            reply = await self._ask("GET", f"{place}/installation")
            if reply.status == HTTPStatus.OK:
                return msgspec.json.decode(reply.content, type=Installation)
            if 300 <= reply.status < 400:
                # Its tokens are made for a name, so that it cannot follow.
                message = f"{target.repository or target.owner} has another name or owner now"
                raise JobFailed(FailureCode.REPOSITORY_MOVED, message)
            if reply.status != HTTPStatus.NOT_FOUND:
                raise self._judged(reply)
        raise self._not_installed(target)

    async def _token(self, installation: Installation, target: Target, access: Access) -> _Token:
        key = ((target.owner or "").lower(), (target.name or "").lower(), access)
        async with self._asking["token", *key]:
            token = self._tokens.get(key)
            if token is None or token.expires_at.timestamp() - self._now() < _RENEW_SECONDS:
                token = self._tokens[key] = await self._mint(installation, target, access)
            self._tokens.move_to_end(key)
        while len(self._tokens) > _MOST_TOKENS:
            forgotten, _ = self._tokens.popitem(last=False)
            self._asking.pop(("token", *forgotten), None)
        return token

    async def _mint(self, installation: Installation, target: Target, access: Access) -> _Token:
        asked: dict[str, object] = {"permissions": narrowed(installation.permissions, access)}
        if target.name:
            asked["repositories"] = [target.name]
        reply = await self._ask("POST", f"/app/installations/{installation.id}/access_tokens", asked)
        if reply.status == HTTPStatus.CREATED:
            return msgspec.json.decode(reply.content, type=_Token)
        if reply.status in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}:
            self._installations.pop((target.owner or "").lower(), None)
            raise self._not_installed(target, said=words(read_problem(reply.content), reply.status))
        raise self._judged(reply)

    async def _ask(self, method: str, path: str, body: object = None) -> Reply:
        content = None if body is None else msgspec.json.encode(body)
        outgoing = Outgoing(method=method, url=path, body=content)
        return await self._wire.send(outgoing, Credential(lane=self.name, token=self._jwt()), self._subject())

    def _judged(self, reply: Reply) -> JobFailed | Unavailable:
        problem = read_problem(reply.content)
        told = read_headers(reply.headers, now=self._now())
        refusal = read_refusal(reply.status, told, problem.message)
        if refusal is not None:
            host = self._wire.addresses.host
            return Unavailable(host, f"limits {self.name}", retry_after=refusal.after or 60.0)
        return judge(reply.status, problem, self._subject())

    def _not_installed(self, target: Target, said: str = "") -> JobFailed:
        where = target.repository or target.owner
        message = f"the GitHub {self.name} is not installed for {where} at {self._wire.addresses.host}"
        return JobFailed(FailureCode.APP_NOT_INSTALLED, f"{message}: {said}" if said else message)

    def _subject(self) -> Subject:
        # A token that is minted twice does no harm.
        host = self._wire.addresses.host
        return Subject(what="get a token of the App", lane=f"the key of {self.name}", host=host, repeatable=True)

    def _jwt(self) -> str:
        now = int(self._now())
        return self._sign({"iat": now - _CLOCK_DRIFT, "exp": now + _JWT_SECONDS, "iss": self._app_id})


def narrowed(granted: Mapping[str, str], access: Access) -> dict[str, str]:
    """What is asked for: no more than is needed, and nothing that was not granted, which GitHub would refuse."""
    wanted = {name: level for name, level in _WANTED[access].items() if name in granted}
    return {name: "read" if granted[name] == "read" else level for name, level in wanted.items()}


def most_of(granted: Mapping[str, str]) -> Permission:
    if granted.get("contents") == "write" and granted.get("pull_requests") == "write":
        return Permission.WRITE
    return Permission.READ if "contents" in granted else Permission.NONE


def _signer(key: str) -> Callable[[dict[str, object]], str]:
    """Raises `SettingsError`, without a word of the key."""
    try:
        read = jwt.get_algorithm_by_name("RS256").prepare_key(key.replace("\\n", "\n"))
    except Exception:  # noqa: BLE001 (cryptography and jwt raise whatever they like; the chain could show the key)
        raise SettingsError(
            "GITHUB_APP_PRIVATE_KEY is no private key: it has to be the PEM that GitHub gave."
        ) from None
    return lambda claims: jwt.encode(claims, read, algorithm="RS256")
