"""A job's trace for people: time per step, and the spans as a tree with bars on one time line."""

from collections.abc import Generator, Sequence

from rich.console import Console
from rich.text import Text

from cody_cli.tables import plain_table
from cody_cli.views import SpanView, StepView, TraceView
from cody_cli.words import duration

_BAR_WIDTH = 30
_CHILDREN_SHOWN = 12
_KEYS = ("cody.repository", "cody.file.path", "cody.shard", "http.route")
"""Attributes that say which one it is, where many spans have the same name."""


def print_steps(trace: TraceView, console: Console) -> None:
    """`time` counts work side by side once, `sum` each time."""
    if not trace.steps:
        console.print("No spans are stored: with DATABASE_URL they go to OTEL_EXPORTER_OTLP_ENDPOINT alone.")
        return
    table = plain_table("step", "service", "times", "time", "sum", "longest", "failed")
    statements = [step for step in trace.steps if _is_statement(step)]
    for step in trace.steps:
        if step not in statements:
            table.add_row(*_step_cells(step))
    for service in sorted({step.service for step in statements}):
        table.add_row(*_database_cells(service, [step for step in statements if step.service == service]))
    console.print(table)
    console.print(f"{duration(trace.wall_us / 1e6)} from the first to the last\n", style="bold")


def print_tree(trace: TraceView, console: Console, *, depth: int) -> None:
    table = plain_table("span", "starts", "takes", "")
    for level, span in _walk(trace.spans, 0, depth):
        if isinstance(span, int):
            table.add_row(Text(f"{'  ' * level}… and {span} more", style="dim"))
        else:
            table.add_row(*_span_cells(trace, span, level))
    console.print(table)


def _walk(spans: Sequence[SpanView], level: int, depth: int) -> Generator[tuple[int, SpanView | int]]:
    """Spans with their level, without database statements; a number stands for that many that are left out."""
    if level == depth:
        return
    shown = [span for span in spans if not _is_statement(span)]
    for span in shown[:_CHILDREN_SHOWN]:
        yield level, span
        yield from _walk(span.children, level + 1, depth)
    if len(shown) > _CHILDREN_SHOWN:
        yield level, len(shown) - _CHILDREN_SHOWN


def _span_cells(trace: TraceView, span: SpanView, level: int) -> list[Text | str]:
    starts = (span.started_at - trace.started_at).total_seconds() if trace.started_at else 0.0
    which = next((str(span.attributes[key]) for key in _KEYS if key in span.attributes), "")
    failed = span.status == "error"
    label = Text.assemble("  " * level, (span.name, "red" if failed else "bold"), f" {which}")
    if failed and span.status_message:
        label.append(f" {span.status_message}", style="red")
    return [label, duration(max(0.0, starts)), duration(span.duration_us / 1e6), _bar(trace, starts, span)]


def _bar(trace: TraceView, starts: float, span: SpanView) -> Text:
    scale = _BAR_WIDTH / max(1, trace.wall_us)
    before = min(_BAR_WIDTH - 1, max(0, int(starts * 1e6 * scale)))
    length = min(_BAR_WIDTH - before, max(1, round(span.duration_us * scale)))
    return Text(" " * before + "━" * length, style="cyan", no_wrap=True)


def _step_cells(step: StepView) -> list[str]:
    times = [duration(microseconds / 1e6) for microseconds in (step.wall_us, step.total_us, step.longest_us)]
    return [step.name, step.service, str(step.count), *times, str(step.failed or "")]


def _is_statement(span: StepView | SpanView) -> bool:
    """Spans of the database driver are named after the SQL verb; there are too many of them to be read."""
    return span.name.isalpha() and span.name.isupper()


def _database_cells(service: str, statements: Sequence[StepView]) -> list[str]:
    total, longest = sum(step.total_us for step in statements), max(step.longest_us for step in statements)
    failed = sum(step.failed for step in statements)
    times = str(sum(step.count for step in statements))
    return ["database", service, times, "", duration(total / 1e6), duration(longest / 1e6), str(failed or "")]
