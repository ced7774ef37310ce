"""Query outside and inside of a span, and print the spans that came of it."""

import asyncio
import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings


async def look_twice(connection: Connection) -> None:
    for _ in range(2):
        await connection.fetchval("SELECT 'inside'")


async def main(url: str) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    async with open_database(BackendSettings(database_url=url)) as database:
        await database.run(look_twice)
        await database.run_statement(lambda c: c.fetchval("SELECT 'not seen'"))
        with trace.get_tracer("test").start_as_current_span("work"):
            await database.run(look_twice)
            await database.run_statement(lambda c: c.fetchval("SELECT 'seen'"))
    names = {span.context.span_id: span.name for span in spans.get_finished_spans() if span.context}
    for span in spans.get_finished_spans():
        parent = f" child of {names[span.parent.span_id]}" if span.parent else ""
        statement = f": {span.attributes['db.statement']}" if span.attributes else ""
        sys.stdout.write(f"{span.name}{parent}{statement}\n")


asyncio.run(main(sys.argv[1]))
