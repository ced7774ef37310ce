"""Spans of several processes and traces become one tree, and a sum per step."""

from datetime import UTC, datetime, timedelta

import msgspec

from cody_api.trace_tree import SpanNode, build_trace
from cody_jobs.spans import SpanRecord

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)


def span(
    span_id: str, *, at: int, lasts: int, parent: str | None = None, name: str = "edit", links: tuple[str, ...] = ()
) -> SpanRecord:
    return SpanRecord(
        trace_id="t1",
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        kind="internal",
        service="worker",
        job_id="job-1",
        started_at=BEGIN + timedelta(microseconds=at),
        duration_us=lasts,
        status="unset",
        status_message=None,
        attributes={},
        links=links,
    )


def shape(nodes: tuple[SpanNode, ...] | list[SpanNode]) -> dict[str, object]:
    return {node.span_id: shape(node.children) for node in nodes}


def test_children_stand_below_their_parents_in_order_of_time() -> None:
    spans = [span("c", at=20, lasts=1, parent="a"), span("a", at=0, lasts=50), span("b", at=10, lasts=1, parent="a")]
    tree = build_trace("job-1", "t1", spans, truncated=False)
    assert shape(tree.spans) == {"a": {"b": {}, "c": {}}}
    assert list(shape(tree.spans[0].children)) == ["b", "c"]


def test_a_span_whose_parent_is_not_known_is_a_root() -> None:
    tree = build_trace("job-1", "t1", [span("a", at=0, lasts=1, parent="elsewhere")], truncated=False)
    assert shape(tree.spans) == {"a": {}}


def test_a_consumer_in_another_trace_stands_below_the_producer_that_it_links_to() -> None:
    spans = [span("send", at=0, lasts=5), span("receive", at=3, lasts=9, links=("gone", "send"))]
    tree = build_trace("job-1", "t1", spans, truncated=False)
    assert shape(tree.spans) == {"send": {"receive": {}}}
    assert tree.spans[0].children[0].linked


def test_traces_that_link_to_each_other_make_no_circle() -> None:
    spans = [
        span("a", at=0, lasts=9, links=("b2",)),
        span("b", at=1, lasts=9, links=("a",)),
        span("b2", at=2, lasts=1, parent="b"),
        span("c", at=3, lasts=1, links=("c",)),
    ]
    tree = build_trace("job-1", "t1", spans, truncated=False)
    assert shape(tree.spans) == {"b": {"b2": {"a": {}}}, "c": {}}
    msgspec.json.encode(tree)


def test_a_step_knows_its_sum_and_how_long_it_was_under_way() -> None:
    spans = [span("a", at=0, lasts=10), span("b", at=5, lasts=10), span("c", at=30, lasts=5), span("d", at=31, lasts=1)]
    (step,) = build_trace("job-1", "t1", spans, truncated=False).steps
    assert (step.count, step.total_us, step.longest_us, step.wall_us) == (4, 26, 10, 20)


def test_steps_are_sorted_by_their_sum_and_the_job_has_a_whole() -> None:
    spans = [span("a", at=5, lasts=1, name="scope"), span("b", at=7, lasts=8), span("b", at=7, lasts=8)]
    tree = build_trace("job-1", "t1", spans, truncated=True)
    assert [(step.name, step.count) for step in tree.steps] == [("edit", 1), ("scope", 1)]
    assert (tree.started_at, tree.wall_us, tree.truncated) == (BEGIN + timedelta(microseconds=5), 10, True)


def test_a_job_without_spans_has_an_empty_trace() -> None:
    tree = build_trace("job-1", None, [], truncated=False)
    assert (tree.spans, tree.steps, tree.started_at, tree.wall_us) == ((), (), None, 0)
