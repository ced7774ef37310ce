"""Who calls, and what they may do."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from cody_api.connections import Connection, Guard
from cody_api.problems import ProblemError
from cody_jobs.ports import ApiToken, Role, TokenStore

TOKEN_SECONDS = 5.0
"""How long a token that was found is believed without looking again; with a request that is under way, a revoked
token stops well within 10 s."""
_TOKENS_KEPT = 1_000
_SECRET_LENGTH = 200
_RANKS: Mapping[Role, int] = {role: rank for rank, role in enumerate(Role)}
_CALLER = "cody_caller"

EVERYBODY = ApiToken(name="anonymous", role=Role.ADMIN, created_at=datetime.fromtimestamp(0, UTC), revoked_at=None)
"""The caller where API_AUTH=none."""


class _Known(Struct, frozen=True, kw_only=True):
    token: ApiToken
    until: float


class TokenCheck:
    """Finds tokens by their secrets, and remembers the good ones for a moment.

    Every secret, good or bad, costs one hash and, unless it is remembered, one look-up by that hash.
    """

    def __init__(self, tokens: TokenStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens = tokens
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def find(self, secret: str) -> ApiToken | None:
        key = hashlib.sha256(secret.encode()).digest()
        now = self._clock()
        known = self._known.get(key)
        if known is not None and known.until > now:
            return known.token
        token = await self._tokens.find_token(secret)
        self._known.pop(key, None)
        if token is not None:
            self._remember(key, _Known(token=token, until=now + TOKEN_SECONDS))
        return token

    def _remember(self, key: bytes, known: _Known) -> None:
        self._known[key] = known
        if len(self._known) > _TOKENS_KEPT:
            self._known.popitem(last=False)


OPEN: Mapping[str, Role | None] = {"role": None}
"""A route's `opt`: no token is asked for."""


def needs(role: Role) -> Mapping[str, Role | None]:
    """A route's `opt`: callers need this role or a higher one."""
    return {"role": role}


def guard_roles(check: TokenCheck | None) -> Guard:
    """`check` is None where API_AUTH=none. A route that says nothing is for admins."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        if asks_for_nothing(handler):
            return
        role = Role(handler.opt.get("role", Role.ADMIN))
        caller = EVERYBODY if check is None else await _authenticate(connection, check)
        connection.scope["state"][_CALLER] = caller
        if _RANKS[caller.role] < _RANKS[role]:
            raise ProblemError(
                403,
                "role_missing",
                f"This needs the role {role}; the token {caller.name!r} has the role {caller.role}.",
                headers={"WWW-Authenticate": 'Bearer realm="cody-batch", error="insufficient_scope"'},
            )

    return guard


def asks_for_nothing(handler: BaseRouteHandler) -> bool:
    return "role" in handler.opt and handler.opt["role"] is None


def caller_name(state: Mapping[str, object]) -> str | None:
    """The name of the token that a request came with, once it was checked; `state` is its scope's."""
    caller = state.get(_CALLER)
    return caller.name if isinstance(caller, ApiToken) else None


async def _authenticate(connection: Connection, check: TokenCheck) -> ApiToken:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise ProblemError(
            401,
            "token_missing",
            "Send a token: Authorization: Bearer cody_… (made by `cody-batch ops token create`).",
            headers={"WWW-Authenticate": 'Bearer realm="cody-batch"'},
        )
    secret = secret.strip()
    usable = scheme.lower() == "bearer" and secret.isascii() and secret.isprintable() and len(secret) <= _SECRET_LENGTH
    token = await check.find(secret) if usable else None
    if token is None:
        raise ProblemError(
            401,
            "token_refused",
            "This token is unknown or was revoked.",
            headers={"WWW-Authenticate": 'Bearer realm="cody-batch", error="invalid_token"'},
        )
    return token
