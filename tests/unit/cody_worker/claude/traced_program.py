"""A program of its own, because telemetry providers are global: asks about two files and prints spans and metrics."""

import asyncio
import json
import os
import random
import sys
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cody_jobs.models import JobType
from cody_runtime.logs import configure_logs
from cody_runtime.settings import load_settings
from cody_worker.claude.client import open_claude
from cody_worker.claude.patience import Backoff
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.edit_file import FileQuestion, edit_file

_CODE = b"# XYZZY_CODE\nx: Optional[int] = 1\n"
_PROMPT = "XYZZY_PROMPT: Optional[X] becomes X | None"


async def _ask_about_two_files() -> None:
    settings = load_settings(ClaudeSettings, os.environ)
    async with open_claude(settings, backoff=Backoff(first=0.01), chance=random.Random(1)) as claude:
        for path in ("a.py", "refused.py"):
            with trace.get_tracer("test").start_as_current_span("edit_file"):
                await edit_file(
                    claude,
                    FileQuestion(
                        path=path,
                        data=_CODE,
                        prompt=_PROMPT,
                        job_type=JobType.CODE_PATTERN_UPDATE,
                        model=settings.claude_model,
                    ),
                )


def main() -> None:
    configure_logs("test", level="DEBUG")
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    asyncio.run(_ask_about_two_files())
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    told: dict[str, Any] = {
        "spans": [
            {
                "name": span.name,
                "parent": names.get(span.parent.span_id) if span.parent else None,
                "attributes": dict(span.attributes or {}),
                "events": [dict(event.attributes or {}) for event in span.events],
                "status": span.status.description,
            }
            for span in spans
        ],
        "metrics": json.loads(_metrics(reader)),
    }
    sys.stdout.write(json.dumps(told))


def _metrics(reader: InMemoryMetricReader) -> str:
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: json.loads(metric.to_json())
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    return json.dumps(found)


if __name__ == "__main__":
    main()
