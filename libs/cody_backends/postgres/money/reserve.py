"""Reserve money against all caps at once, or against none.

Locks are taken in one order (reservation, file, repository, job), so that nobody waits in a circle, and the one that
all workers of a job want comes last.
"""

from collections.abc import Sequence
from operator import itemgetter

from msgspec import Struct

from cody_backends.postgres.connection import Connection
from cody_jobs.ports.money_store import CapLevel, CapReached, Caps, Reserved


class Refused(Exception):
    """A cap does not allow it: takes the transaction back."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What a call wants to be sure of."""

    id: str
    job_id: str
    repository: str
    path: str
    microusd: int
    owner: str

    def account(self, level: CapLevel) -> tuple[str, str]:
        match level:
            case CapLevel.JOB:
                return "", ""
            case CapLevel.REPOSITORY:
                return self.repository, ""
            case CapLevel.FILE:
                return self.repository, self.path


def capped(caps: Caps, *, repository: str) -> list[tuple[CapLevel, int]]:
    """The caps that there are, in the order of their locks."""
    own = [(CapLevel.FILE, caps.file), (CapLevel.REPOSITORY, caps.repository)] if repository else []
    return [(level, cap) for level, cap in [*own, (CapLevel.JOB, caps.job)] if cap is not None]


async def reserve(connection: Connection, *, wanted: Wanted, caps: Sequence[tuple[CapLevel, int]]) -> Reserved:
    """Raises `Refused`."""
    row = await connection.fetchrow(
        _RESERVE,
        wanted.job_id,
        wanted.id,
        wanted.repository,
        wanted.path,
        [level.value for level, _ in caps],
        wanted.microusd,
        wanted.owner,
        *_accounts(wanted, caps),
        [cap for _, cap in caps],
    )
    assert row is not None
    if not row["made"]:
        return await _take_over(connection, wanted)
    if row["held"] < len(caps):
        raise Refused
    return Reserved(microusd=wanted.microusd)


async def _take_over(connection: Connection, wanted: Wanted) -> Reserved:
    microusd = await connection.fetchval(
        "UPDATE money_reservations SET owner = $3 WHERE job_id = $1 AND id = $2 RETURNING microusd",
        wanted.job_id,
        wanted.id,
        wanted.owner,
    )
    return Reserved(microusd=microusd)


async def look(connection: Connection, *, wanted: Wanted, caps: Sequence[tuple[CapLevel, int]]) -> CapReached:
    rows = await connection.fetch(_LOOK, wanted.job_id, *_accounts(wanted, caps))
    left = [
        (level, cap, max(0, cap - row["spent"]), max(0, cap - row["spent"] - row["reserved"]))
        for (level, cap), row in zip(caps, rows, strict=True)
    ]
    level, cap, unspent, _ = min(left, key=itemgetter(2))
    scarce, _, _, free = min(left, key=itemgetter(3))
    return CapReached(level=level, cap=cap, unspent=unspent, scarce=scarce, free=free)


def _accounts(wanted: Wanted, caps: Sequence[tuple[CapLevel, int]]) -> tuple[list[str], list[str]]:
    accounts = [wanted.account(level) for level, _ in caps]
    return [repository for repository, _ in accounts], [path for _, path in accounts]


_RESERVE = """
    WITH made AS (
        INSERT INTO money_reservations (job_id, id, repository, path, levels, microusd, owner)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
        RETURNING id
    ), held AS (
        INSERT INTO money_accounts AS account (job_id, repository, path, cap, reserved)
        SELECT $1, capped.repository, capped.path, capped.cap, $6
        FROM made, unnest($8::text[], $9::text[], $10::bigint[])
            WITH ORDINALITY AS capped (repository, path, cap, number)
        WHERE capped.cap >= $6
        ORDER BY capped.number
        ON CONFLICT (job_id, repository, path) DO UPDATE
        SET reserved = account.reserved + excluded.reserved, cap = excluded.cap
        WHERE account.spent + account.reserved + excluded.reserved <= excluded.cap
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM held) AS held
"""

_LOOK = """
    SELECT coalesce(account.spent, 0) AS spent, coalesce(account.reserved, 0) AS reserved
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS capped (repository, path, number)
    LEFT JOIN money_accounts AS account
        ON account.job_id = $1 AND account.repository = capped.repository AND account.path = capped.path
    ORDER BY capped.number
"""
