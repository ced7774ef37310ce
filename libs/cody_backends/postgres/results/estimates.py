"""What dry runs say that a job would cost."""

from collections.abc import Sequence

import msgspec

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.texts import storable
from cody_jobs.estimates import JobEstimate, RepositoryEstimate

_estimate = msgspec.json.Decoder(RepositoryEstimate)
_sum = msgspec.json.Decoder(JobEstimate)


async def find_estimates(
    connection: Connection, *, job_id: str, repositories: Sequence[str]
) -> dict[str, RepositoryEstimate]:
    rows = await connection.fetch(
        """
        SELECT repository, estimate FROM run_reports
        WHERE job_id = $1 AND repository = ANY ($2::text[]) AND estimate IS NOT NULL
        """,
        storable(job_id),
        repositories,
    )
    return {row["repository"]: _estimate.decode(row["estimate"]) for row in rows}


async def sum_estimates(connection: Connection, *, job_id: str) -> JobEstimate:
    summed = await connection.fetchval(_SUM, storable(job_id))
    return JobEstimate() if summed is None else _sum.decode(summed)


_SUM = """
    SELECT json_build_object(
        'model', max(e.model),
        'repositories', count(*),
        'candidates', sum(e.candidates),
        'known', sum(e.known),
        'matches', sum(e.matches),
        'counted', coalesce(bool_and(e.counted) FILTER (WHERE e.candidates > 0), false),
        'calls', json_build_object(
            'low', sum((e.calls->>'low')::bigint),
            'expected', sum((e.calls->>'expected')::bigint),
            'high', sum((e.calls->>'high')::bigint)
        ),
        'inputTokens', json_build_object(
            'low', sum((e."inputTokens"->>'low')::bigint),
            'expected', sum((e."inputTokens"->>'expected')::bigint),
            'high', sum((e."inputTokens"->>'high')::bigint)
        ),
        'outputTokens', json_build_object(
            'low', sum((e."outputTokens"->>'low')::bigint),
            'expected', sum((e."outputTokens"->>'expected')::bigint),
            'high', sum((e."outputTokens"->>'high')::bigint)
        ),
        'costMicrousd', json_build_object(
            'low', sum((e."costMicrousd"->>'low')::bigint),
            'expected', sum((e."costMicrousd"->>'expected')::bigint),
            'high', sum((e."costMicrousd"->>'high')::bigint)
        )
    )
    FROM run_reports CROSS JOIN LATERAL json_to_record(estimate) AS e (
        model text,
        counted boolean,
        candidates bigint,
        known bigint,
        matches bigint,
        calls json,
        "inputTokens" json,
        "outputTokens" json,
        "costMicrousd" json
    )
    WHERE job_id = $1 AND estimate IS NOT NULL
    HAVING count(*) > 0
"""
