"""One line and one span per request, named by the route."""

from collections.abc import Generator, Sequence
from datetime import timedelta

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cody_api.create_app import create_app
from cody_api.observe_requests import keep_job_spans
from cody_api.settings import ApiSettings
from cody_backends.open_backends import Backends
from cody_jobs.messages import JOBS_QUEUE
from cody_jobs.spans import SpanRecord
from cody_runtime import names
from cody_runtime.telemetry import SpanKeeper
from tests.unit.cody_api.conftest import ClientFor, Logged
from tests.unit.cody_api.stand_ins import SECRET
from tests.unit.cody_api.stories import job_body, submit

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def keeper() -> SpanKeeper:
    return SpanKeeper("api")


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The finished spans of the traced application."""
    return InMemorySpanExporter()


@pytest.fixture
def tracers(keeper: SpanKeeper, spans: InMemorySpanExporter) -> Generator[TracerProvider]:
    provider = TracerProvider()
    provider.add_span_processor(keeper)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider
    provider.shutdown()


@pytest.fixture
def traced(
    backends: Backends,
    settings: ApiSettings,
    tracers: TracerProvider,
    client: httpx.AsyncClient,
    client_for: ClientFor,
) -> httpx.AsyncClient:
    """A client that may submit jobs, of an application whose spans are seen."""
    token = client.headers["authorization"].removeprefix("Bearer ")
    return client_for(create_app(backends, settings, tracers=tracers), token)


def server_spans(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.SERVER]


async def test_a_request_is_one_line_with_route_status_time_and_token(
    bare_client: httpx.AsyncClient, logged: Logged
) -> None:
    await bare_client.get("/jobs/%00/repositories/acme%2Fweb/diff")
    (line,) = [line for line in logged() if line["event"] == "request"]
    assert (line["method"], line["status"], line["caller"], line["level"]) == ("GET", 404, "eve", "INFO")
    assert line["route"] == "/jobs/{job_id}/repositories/{owner}/{name}/diff"
    assert isinstance(line["ms"], float)


async def test_health_is_quiet_and_an_unknown_address_has_no_route(
    bare_client: httpx.AsyncClient, logged: Logged
) -> None:
    await bare_client.get("/health")
    await bare_client.get("/wp-admin/secret-name")
    lines = [line for line in logged() if line["event"] == "request"]
    assert [(line["route"], line["level"]) for line in lines] == [("/health", "DEBUG"), ("(no route)", "INFO")]
    assert "wp-admin" not in str(lines)


async def test_no_line_has_a_secret_or_a_prompt(client: httpx.AsyncClient, logged: Logged) -> None:
    await client.post("/jobs", json=job_body(prompt="our-private-prompt"))
    await client.get("/jobs", headers={"Authorization": f"Bearer {SECRET}"})
    text = str(logged())
    assert "our-private-prompt" not in text
    assert SECRET not in text
    assert client.headers["authorization"].removeprefix("Bearer ") not in text


async def test_spans_are_named_by_the_route_and_carry_the_job(
    spans: InMemorySpanExporter, traced: httpx.AsyncClient
) -> None:
    answer = await traced.post("/jobs", json=job_body(), headers={"traceparent": TRACEPARENT})
    job_id = answer.json()["id"]
    await traced.get(f"/jobs/{job_id}")
    await traced.get("/no/such/address")
    for quiet in ("/health", "/health/ready", f"/jobs/{job_id}/events?lastEventId=x", "/docs", "/openapi.json"):
        await traced.get(quiet)
    told = {span.name: span for span in server_spans(spans)}
    assert set(told) == {"POST /jobs", "GET /jobs/{job_id}", "GET (no route)"}
    assert (told["POST /jobs"].attributes or {})[names.JOB_ID] == job_id
    assert (told["GET /jobs/{job_id}"].attributes or {})[names.JOB_ID] == job_id
    context = told["POST /jobs"].context
    assert context is not None
    assert trace.format_trace_id(context.trace_id) == TRACE


async def test_the_context_travels_with_the_job_and_its_message(
    spans: InMemorySpanExporter, backends: Backends, traced: httpx.AsyncClient
) -> None:
    answer = await traced.post("/jobs", json=job_body(), headers={"traceparent": TRACEPARENT})
    job = await backends.jobs.get_job(answer.json()["id"])
    assert (job.traceparent or "").split("-")[1] == TRACE
    (message,) = await backends.queue.receive(JOBS_QUEUE, limit=5, wait=timedelta(0), visibility=timedelta(minutes=1))
    producer = next(span for span in spans.get_finished_spans() if span.name == names.SPAN_SEND_MESSAGE)
    assert producer.context is not None
    assert message.attributes["traceparent"].split("-")[1:3] == [TRACE, trace.format_span_id(producer.context.span_id)]


async def test_what_jobs_did_is_kept_and_who_looked_is_not(
    keeper: SpanKeeper, spans: InMemorySpanExporter, traced: httpx.AsyncClient
) -> None:
    kept: list[SpanRecord] = []

    async def store(records: Sequence[SpanRecord]) -> None:
        kept.extend(records)

    async with keeper.keep(keep_job_spans(store)):
        job_id = await submit(traced)
        await traced.get(f"/jobs/{job_id}")
        await traced.post(f"/jobs/{job_id}/cancel")
        await traced.get("/jobs")
    named = {span.name for span in kept}
    assert {"POST /jobs", names.SPAN_CREATE_JOB, names.SPAN_SEND_MESSAGE, "POST /jobs/{job_id}/cancel"} <= named
    assert not [name for name in named if name.startswith("GET")]
    assert {span.job_id for span in kept} == {job_id}
    assert spans.get_finished_spans()


async def test_the_stored_trace_is_served(
    backends: Backends, keeper: SpanKeeper, spans: InMemorySpanExporter, traced: httpx.AsyncClient
) -> None:
    async with keeper.keep(keep_job_spans(backends.results.append_spans)):
        job_id = await submit(traced)
    tree = (await traced.get(f"/jobs/{job_id}/trace")).json()
    (root,) = tree["spans"]
    assert root["name"] == "POST /jobs"
    assert {names.SPAN_CREATE_JOB, names.SPAN_SEND_MESSAGE} <= {child["name"] for child in root["children"]}
    steps = {step["name"]: step for step in tree["steps"]}
    assert steps["POST /jobs"]["count"] == 1
    assert tree["wallUs"] >= steps[names.SPAN_CREATE_JOB]["wallUs"] > 0
    short = (await traced.get(f"/jobs/{job_id}/trace", params={"limit": 1})).json()
    assert short["truncated"]
    assert spans.get_finished_spans()
