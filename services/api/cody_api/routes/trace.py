"""GET /jobs/{id}/trace: where a job's time went."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from cody_api.auth import needs
from cody_api.routes.parameters import JobId, check_job_id
from cody_api.routes.responses import problems
from cody_api.trace_tree import Trace, build_trace
from cody_backends.open_backends import Backends
from cody_jobs.ports import Role

SpanLimit = Annotated[int, QueryParameter(ge=1, le=20_000, description="Spans to read at most, 1 to 20,000.")]


@get(
    "/jobs/{job_id:str}/trace",
    opt=needs(Role.VIEWER),
    operation_id="getTrace",
    summary="See where a job's time went",
    tags=["trace"],
    responses=problems(400, 401, 403, 404),
)
async def get_trace(backends: NamedDependency[Backends], job_id: JobId, limit: SpanLimit = 5_000) -> Trace:
    """Every stored span of the job as a tree, and the time per step. Spans are stored where the API runs with the
    embedded database; elsewhere they go to the collector at OTEL_EXPORTER_OTLP_ENDPOINT and this is empty."""
    job = await backends.jobs.get_job(check_job_id(job_id))
    trace_id = _trace_id(job.traceparent)
    spans = await backends.results.read_trace(job.id, trace_id, limit=limit + 1)
    return build_trace(job.id, trace_id, spans[:limit], truncated=len(spans) > limit)


def _trace_id(traceparent: str | None) -> str | None:
    """The second part of a W3C traceparent: version-trace-parent-flags."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None
