"""API tokens in PostgreSQL: only SHA-256 of a secret is kept. With 256 random bits in it, nothing slower is needed."""

import hashlib
import secrets
from functools import partial

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.database import Database
from cody_backends.postgres.texts import storable
from cody_jobs.errors import JobRejected
from cody_jobs.ports.token_store import ApiToken, Role

_PREFIX = "cody_"


class PostgresTokenStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_token(self, name: str, role: Role) -> str:
        secret = _PREFIX + secrets.token_urlsafe(32)
        name = storable(name)
        if not await self._database.run(partial(_insert, name=name, role=role, secret_hash=_hash(secret))):
            raise JobRejected(f"there is a token named {name} already (a revoked one keeps its name)")
        return secret

    async def find_token(self, secret: str) -> ApiToken | None:
        return await self._database.run_statement(partial(_find, secret_hash=_hash(secret)))

    async def list_tokens(self) -> list[ApiToken]:
        """By time of making."""
        return await self._database.run_statement(_list)

    async def revoke_token(self, name: str) -> bool:
        """Whether there is such a token: it is revoked then, now or since before."""
        return await self._database.run_statement(partial(_revoke, name=storable(name)))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


async def _insert(connection: Connection, *, name: str, role: Role, secret_hash: bytes) -> bool:
    """Run twice, after a lost answer, it finds its own hash."""
    await connection.execute(
        "INSERT INTO api_tokens (name, role, secret_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        name,
        role,
        secret_hash,
    )
    return await connection.fetchval("SELECT secret_hash = $2 FROM api_tokens WHERE name = $1", name, secret_hash)


async def _find(connection: Connection, *, secret_hash: bytes) -> ApiToken | None:
    row = await connection.fetchrow(
        "SELECT * FROM api_tokens WHERE secret_hash = $1 AND revoked_at IS NULL", secret_hash
    )
    return _token_from(row) if row else None


async def _list(connection: Connection) -> list[ApiToken]:
    rows = await connection.fetch("SELECT * FROM api_tokens ORDER BY created_at, name")
    return [_token_from(row) for row in rows]


async def _revoke(connection: Connection, *, name: str) -> bool:
    revoked = await connection.fetchval(
        """
        UPDATE api_tokens SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE name = $1 RETURNING true
        """,
        name,
    )
    return bool(revoked)


def _token_from(row: Row) -> ApiToken:
    return ApiToken(
        name=row["name"], role=Role(row["role"]), created_at=row["created_at"], revoked_at=row["revoked_at"]
    )
