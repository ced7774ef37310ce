"""GET /jobs/{id}/events: what happens, as it happens."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from cody_api.auth import needs
from cody_api.event_streams import EventStreams
from cody_api.problems import FieldProblem, ProblemError
from cody_api.routes.parameters import JobId, check_job_id
from cody_api.routes.responses import problems
from cody_backends.open_backends import Backends
from cody_jobs.ports import Role

_LARGEST_ID = 2**63 - 1
_ID_SCHEMA = {"pattern": "^[0-9]{0,18}$"}
EVENT_STREAM = "text/event-stream"


@get(
    "/jobs/{job_id:str}/events",
    opt=needs(Role.VIEWER),
    operation_id="streamEvents",
    summary="Follow a job",
    tags=["events"],
    media_type=EVENT_STREAM,
    responses=problems(400, 401, 403, 404),
    response_description="Server-sent events: `id`, `event` (the kind) and `data` (JSON), and at last one named `end`.",
)
async def get_events(
    backends: NamedDependency[Backends],
    streams: NamedDependency[EventStreams],
    job_id: JobId,
    last_event_id: Annotated[
        str | None,
        HeaderParameter(
            name="Last-Event-ID", description="Go on after this event; browsers send it.", schema_extra=_ID_SCHEMA
        ),
    ] = None,
    last_event_id_query: Annotated[
        str | None,
        QueryParameter(
            name="lastEventId",
            description="The same, for clients that cannot send a header.",
            schema_extra=_ID_SCHEMA,
        ),
    ] = None,
) -> Stream:
    """All events of the job from its first one (or after `Last-Event-ID`), then each new one at once. A comment goes
    out every 15 s. After the event `end` (its data has the job's final status) nothing comes: do not reconnect."""
    after = _event_id(last_event_id if last_event_id is not None else last_event_id_query)
    streams.check_room()
    job = await backends.jobs.get_job(check_job_id(job_id))
    headers = {"X-Accel-Buffering": "no"}
    return Stream(streams.stream(job.id, after=after), media_type=EVENT_STREAM, headers=headers)


def _event_id(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST_ID:
        return int(text)
    problem = FieldProblem(field="Last-Event-ID", message="must be the id of an event", code="bad_header")
    raise ProblemError(400, "bad_header", "Last-Event-ID: must be the id of an event, a number.", errors=[problem])
