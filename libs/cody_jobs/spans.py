"""A finished span as the ResultStore keeps it, so that a job's time can be looked at with no other software."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct


class SpanRecord(Struct, frozen=True, kw_only=True, rename="camel"):
    """Ids are lower-case hex, as in a traceparent. `job_id` is the span's attribute `cody.job.id`, when it has one."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    service: str
    job_id: str | None
    started_at: datetime
    duration_us: int
    status: str
    status_message: str | None
    attributes: Mapping[str, str | int | float | bool]
    links: tuple[str, ...] = ()
