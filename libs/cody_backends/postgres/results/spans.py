"""Finished spans, bounded by number and age."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct

from cody_backends.postgres.connection import Connection, Row
from cody_backends.postgres.texts import storable
from cody_jobs.spans import SpanRecord


class SpanBounds(Struct, frozen=True, kw_only=True):
    """`trim_every` spans that one process has added, it looks whether the oldest have to go."""

    spans: int = 200_000
    age: timedelta = timedelta(days=7)
    trim_every: int = 5_000


async def append_spans(connection: Connection, *, spans: Sequence[SpanRecord]) -> None:
    await connection.execute(
        """
        INSERT INTO spans (
            trace_id, span_id, parent_span_id, name, kind, service, job_id, started_at, duration_us, status,
            status_message, attributes, links
        )
        SELECT * FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
            $9::bigint[], $10::text[], $11::text[], $12::json[], $13::json[]
        )
        ON CONFLICT DO NOTHING
        """,
        [span.trace_id for span in spans],
        [span.span_id for span in spans],
        [span.parent_span_id for span in spans],
        [storable(span.name) for span in spans],
        [span.kind for span in spans],
        [span.service for span in spans],
        [storable(span.job_id) for span in spans],
        [span.started_at for span in spans],
        [span.duration_us for span in spans],
        [span.status for span in spans],
        [storable(span.status_message) for span in spans],
        [_finite(span.attributes) for span in spans],
        [span.links for span in spans],
    )


async def trim_spans(connection: Connection, *, bounds: SpanBounds) -> None:
    await connection.execute(
        """
        DELETE FROM spans WHERE started_at <= greatest(
            now() - $1::interval, (SELECT started_at FROM spans ORDER BY started_at DESC OFFSET $2 LIMIT 1)
        )
        """,
        bounds.age,
        bounds.spans,
    )


async def read_trace(connection: Connection, *, job_id: str, trace_id: str | None, limit: int) -> list[SpanRecord]:
    rows = await connection.fetch(
        "SELECT * FROM spans WHERE trace_id = $2 OR job_id = $1 ORDER BY started_at, span_id LIMIT $3",
        storable(job_id),
        trace_id,
        limit,
    )
    return [_span_from(row) for row in rows]


def _finite(attributes: Mapping[str, str | int | float | bool]) -> Mapping[str, str | int | float | bool]:
    """JSON has no infinity and no NaN: as texts, they can be read again."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in attributes.items()
    }


def _span_from(row: Row) -> SpanRecord:
    return SpanRecord(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        kind=row["kind"],
        service=row["service"],
        job_id=row["job_id"],
        started_at=row["started_at"],
        duration_us=row["duration_us"],
        status=row["status"],
        status_message=row["status_message"],
        attributes=msgspec.json.decode(row["attributes"], type=dict[str, str | int | float | bool]),
        links=msgspec.json.decode(row["links"], type=tuple[str, ...]),
    )
