"""API tokens: random, shown once, stored as hashes."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Role(StrEnum):
    """Each may do what the ones before it may."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    ADMIN = "admin"


class ApiToken(Struct, frozen=True, kw_only=True):
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


@runtime_checkable
class TokenStore(Protocol):
    async def create_token(self, name: str, role: Role) -> str:
        """Make a token and return its secret, which is stored nowhere. Raises `JobRejected` when the name is taken."""
        ...

    async def find_token(self, secret: str) -> ApiToken | None:
        """The token with this secret, unless it was revoked."""
        ...

    async def list_tokens(self) -> list[ApiToken]: ...

    async def revoke_token(self, name: str) -> bool: ...
