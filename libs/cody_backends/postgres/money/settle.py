"""Settle a reservation: what it has cost takes its place."""

from cody_backends.postgres.connection import Connection


async def settle(connection: Connection, *, job_id: str, reservation_id: str, spent: int) -> None:
    """Locks are taken in the order of `reserve`."""
    await connection.execute(_SETTLE, job_id, reservation_id, spent)


async def find_recorded(connection: Connection, *, job_id: str, repository: str, owner: str) -> dict[str, int]:
    """What others have left, by reservation, and what was recorded beyond all that is settled of its file.

    Of two that are open for one file nobody can tell which one a call belongs to.
    """
    rows = await connection.fetch(_RECORDED, job_id, repository, owner)
    return {row["id"]: row["more"] for row in rows}


_SETTLE = """
    WITH settled AS (
        UPDATE money_reservations SET spent = $3 WHERE job_id = $1 AND id = $2 AND spent IS NULL
        RETURNING repository, path, levels, microusd
    )
    INSERT INTO money_accounts AS account (job_id, repository, path, cap, reserved, spent)
    SELECT $1,
        CASE WHEN level = 'job' THEN '' ELSE repository END,
        CASE WHEN level = 'file' THEN path ELSE '' END,
        0, microusd, $3
    FROM settled, unnest(levels) WITH ORDINALITY AS capped (level, number)
    ORDER BY number
    ON CONFLICT (job_id, repository, path) DO UPDATE
    SET reserved = account.reserved - excluded.reserved, spent = account.spent + excluded.spent
"""

_RECORDED = """
    WITH open AS (
        SELECT path, min(id) AS id FROM money_reservations
        WHERE job_id = $1 AND repository = $2 AND spent IS NULL
        GROUP BY path HAVING count(*) = 1 AND min(owner) <> $3
    ), compared AS (
        SELECT id, (
            SELECT coalesce(sum(cost_microusd), 0) FROM claude_calls AS call
            WHERE call.job_id = $1 AND call.repository = $2 AND call.path = open.path
        ) - (
            SELECT coalesce(sum(spent), 0) FROM money_reservations AS settled
            WHERE settled.job_id = $1 AND settled.repository = $2 AND settled.path = open.path
        ) AS more
        FROM open
    )
    SELECT id, more::bigint FROM compared WHERE more > 0
"""
