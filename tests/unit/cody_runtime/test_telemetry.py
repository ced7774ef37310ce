import asyncio
from collections.abc import Sequence

from opentelemetry.sdk.trace import TracerProvider

from cody_jobs.spans import SpanRecord
from cody_runtime import names
from cody_runtime.telemetry import SpanKeeper, context_from, link_to

TRACEPARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def test_a_traceparent_crosses_processes() -> None:
    tracer = TracerProvider().get_tracer("x")
    with tracer.start_as_current_span("child", context=context_from(TRACEPARENT)) as span:
        assert f"{span.get_span_context().trace_id:032x}" == "0123456789abcdef0123456789abcdef"


def test_a_consumer_links_to_its_producer() -> None:
    assert [f"{link.context.span_id:016x}" for link in link_to(TRACEPARENT)] == ["0123456789abcdef"]
    assert link_to(None) == []
    assert link_to("rubbish") == []


async def test_finished_spans_are_stored_with_the_job_id_of_their_parent() -> None:
    keeper = SpanKeeper("tester")
    provider = TracerProvider()
    provider.add_span_processor(keeper)
    tracer = provider.get_tracer("x")
    stored: list[SpanRecord] = []

    async def store(spans: Sequence[SpanRecord]) -> None:
        stored.extend(spans)

    async with keeper.keep(store):
        with (
            tracer.start_as_current_span("outer", attributes={names.JOB_ID: "job-1"}),
            tracer.start_as_current_span("inner"),
        ):
            pass
    by_name = {span.name: span for span in stored}
    assert by_name["inner"].job_id == "job-1"
    assert by_name["inner"].parent_span_id == by_name["outer"].span_id
    assert by_name["outer"].service == "tester"


async def test_a_store_that_stays_away_loses_spans_but_never_the_work() -> None:
    keeper = SpanKeeper("tester")
    provider = TracerProvider()
    provider.add_span_processor(keeper)
    called = asyncio.Event()

    async def store(spans: Sequence[SpanRecord]) -> None:
        called.set()
        raise ConnectionError("gone")

    async with keeper.keep(store):
        with provider.get_tracer("x").start_as_current_span("step"):
            pass
    assert called.is_set()


async def test_spans_of_a_time_without_a_store_are_stored_later() -> None:
    keeper = SpanKeeper("tester")
    provider = TracerProvider()
    provider.add_span_processor(keeper)
    stored: list[str] = []
    was_away = asyncio.Event()

    async def store(spans: Sequence[SpanRecord]) -> None:
        if not was_away.is_set():
            was_away.set()
            raise ConnectionError("gone")
        stored.extend(span.name for span in spans)

    async with keeper.keep(store):
        for name in ("first", "second"):
            with provider.get_tracer("x").start_as_current_span(name):
                pass
        await asyncio.wait_for(was_away.wait(), timeout=20)
    assert stored == ["first", "second"]


def test_spans_are_not_collected_where_nobody_stores_them() -> None:
    keeper = SpanKeeper("tester")
    provider = TracerProvider()
    provider.add_span_processor(keeper)
    with provider.get_tracer("x").start_as_current_span("step"):
        pass
    assert keeper.waiting == 0
