"""One job is one trace, through all programs: every span's parent is there, up to the client's own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import environment_for
from tests.story.otlp_receiver import ReceivedSpan, otlp_receiver
from tests.story.system import System, running_system
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

PROMPT = "Rewrite Optional[X] to X | None."
CLIENT_TRACE, CLIENT_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STEPS = {"run_shard", "run_repository", "checkout", "plan", "scope", "edit", "edit_file", "commit", "dispatch"}


async def submit_in_a_trace(system: System) -> str:
    """A job whose client has a trace of its own."""
    system.client.headers["traceparent"] = f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"
    job_id = await system.submit(["acme/web", "acme/api"], PROMPT)
    del system.client.headers["traceparent"]
    assert (await system.ended(job_id))["status"] == "SUCCEEDED"
    return job_id


def make_two(root: Path) -> None:
    for name in ("web", "api"):
        make_repository(root / "acme" / name, {f"{name}.py": b"x: Optional[int] = None\n"})


async def test_exported_spans_are_one_connected_tree(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    make_two(repositories)
    with otlp_receiver() as receiver:
        environment = environment_for(database_url, stand_in, repositories)
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        async with running_system(tmp_path, environment) as system:
            job_id = await submit_in_a_trace(system)
            await wait_until(
                lambda: {"run_shard", "dispatch"} <= {span.name for span in receiver.spans}, "the last spans are in"
            )
        spans = [span for span in receiver.spans if span.trace_id == CLIENT_TRACE]
    known = {span.span_id for span in spans} | {CLIENT_SPAN}
    assert [span for span in spans if span.parent_id not in known] == []
    assert {span.service for span in spans} == {"api", "dispatcher", "worker"}
    assert {span.name for span in spans} >= STEPS
    calls = [span for span in spans if span.name == "anthropic.messages.create"]
    assert len(calls) == 3  # the plan, and each of the two files
    assert no_content(receiver.spans)
    assert all(job_id in span.attributes.get("cody.job.id", "") for span in spans if span.service == "worker")


async def test_without_a_collector_the_trace_is_kept_and_served(
    tmp_path: Path, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    make_two(repositories)
    environment = environment_for("", stand_in, repositories)
    async with running_system(tmp_path, environment) as system:
        job_id = await submit_in_a_trace(system)

        async def all_steps() -> dict[str, Any] | None:
            trace = (await system.client.get(f"/jobs/{job_id}/trace")).json()
            return trace if {step["name"] for step in trace["steps"]} >= STEPS else None

        trace = await wait_until(all_steps, "the last spans are stored")
    assert trace is not None
    assert trace["traceId"] == CLIENT_TRACE
    assert {step["service"] for step in trace["steps"]} == {"api", "dispatcher", "worker"}
    assert len(trace["spans"]) == 1, [span["name"] for span in trace["spans"]]


def no_content(spans: Iterable[ReceivedSpan]) -> bool:
    """No code and no prompt in any attribute."""
    return not any("Optional" in value for span in spans for value in span.attributes.values())
