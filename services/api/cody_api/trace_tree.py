"""A job's spans as a tree, and where its time went."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from cody_jobs.spans import SpanRecord


class SpanNode(Struct, kw_only=True, rename="camel"):
    """A span with what happened inside of it. A span whose parent is not known, but which links to a known one, stands
    below that: consumers link to their producers, and large jobs have a trace for each run."""

    trace_id: str
    span_id: str
    name: str
    kind: str
    service: str
    started_at: datetime
    duration_us: int
    status: str
    status_message: str | None
    attributes: Mapping[str, str | float | bool]
    linked: Annotated[bool, Meta(description="Whether it stands here by a link, not as a child.")] = False
    children: list["SpanNode"] = []


class StepTime(Struct, frozen=True, kw_only=True, rename="camel"):
    """All spans of one name in one service."""

    service: str
    name: str
    count: int
    failed: int
    total_us: Annotated[int, Meta(description="The sum of their durations: work side by side counts each time.")]
    longest_us: int
    wall_us: Annotated[int, Meta(description="How long at least one of them was open.")]


class Trace(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a job's time went."""

    job_id: str
    trace_id: str | None
    started_at: datetime | None
    wall_us: Annotated[int, Meta(description="From the first span's start to the last one's end, in microseconds.")]
    truncated: Annotated[bool, Meta(description="Whether there are more spans than `limit`.")]
    steps: Annotated[tuple[StepTime, ...], Meta(description="Longest total first.")]
    spans: Annotated[tuple[SpanNode, ...], Meta(description="The tree, by start time.")]


def build_trace(job_id: str, trace_id: str | None, spans: Sequence[SpanRecord], *, truncated: bool) -> Trace:
    ordered = sorted({span.span_id: span for span in spans}.values(), key=lambda span: span.started_at)
    first = ordered[0].started_at if ordered else None
    return Trace(
        job_id=job_id,
        trace_id=trace_id,
        started_at=first,
        wall_us=_microseconds(max(map(_end, ordered)) - first) if first else 0,
        truncated=truncated,
        steps=_steps(ordered),
        spans=_tree(ordered),
    )


def _tree(ordered: Sequence[SpanRecord]) -> tuple[SpanNode, ...]:
    """Parents are settled first, so that a link can never close a circle."""
    nodes = {span.span_id: _node(span) for span in ordered}
    above: dict[str, str] = {
        span.span_id: span.parent_span_id for span in ordered if span.parent_span_id in nodes and span.parent_span_id
    }
    for span in ordered:
        if span.span_id in above:
            continue
        target = next((link for link in span.links if link in nodes and not _is_below(link, span.span_id, above)), None)
        if target is not None:
            above[span.span_id] = target
            nodes[span.span_id].linked = True
    roots = [nodes[span.span_id] for span in ordered if span.span_id not in above]
    for span in ordered:
        if span.span_id in above:
            nodes[above[span.span_id]].children.append(nodes[span.span_id])
    return tuple(roots)


def _is_below(span_id: str, ancestor: str, above: Mapping[str, str]) -> bool:
    seen: set[str] = set()
    while span_id not in seen:
        if span_id == ancestor:
            return True
        seen.add(span_id)
        span_id = above.get(span_id, span_id)
    return False


def _steps(spans: Sequence[SpanRecord]) -> tuple[StepTime, ...]:
    groups: dict[tuple[str, str], list[SpanRecord]] = defaultdict(list)
    for span in spans:
        groups[span.service, span.name].append(span)
    steps = [_step(service, name, group) for (service, name), group in groups.items()]
    return tuple(sorted(steps, key=lambda step: -step.total_us))


def _step(service: str, name: str, group: Sequence[SpanRecord]) -> StepTime:
    durations = [span.duration_us for span in group]
    return StepTime(
        service=service,
        name=name,
        count=len(group),
        failed=sum(span.status == "error" for span in group),
        total_us=sum(durations),
        longest_us=max(durations),
        wall_us=_open_for(group),
    )


def _open_for(group: Sequence[SpanRecord]) -> int:
    """The length of the union of the spans' intervals; `group` is ordered by start."""
    total, covered_until = timedelta(0), group[0].started_at
    for span in group:
        begin, end = max(span.started_at, covered_until), _end(span)
        if end > begin:
            total += end - begin
            covered_until = end
    return _microseconds(total)


def _end(span: SpanRecord) -> datetime:
    return span.started_at + timedelta(microseconds=span.duration_us)


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def _node(span: SpanRecord) -> SpanNode:
    return SpanNode(
        trace_id=span.trace_id,
        span_id=span.span_id,
        name=span.name,
        kind=span.kind,
        service=span.service,
        started_at=span.started_at,
        duration_us=span.duration_us,
        status=span.status,
        status_message=span.status_message,
        attributes=span.attributes,
    )
