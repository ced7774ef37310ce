"""A job's plan for people."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from cody_cli.tables import plain_table
from cody_jobs.plan import JobPlan, Plan, PlanSource, Precondition


def print_plan(made: JobPlan, console: Console) -> None:
    console.print(Text.assemble(("plan", "bold"), f"  {_source(made)}, {made.at.astimezone():%Y-%m-%d %H:%M}"))
    table = plain_table("", "")
    for name, value in _rows(made.plan):
        table.add_row(Text(name, style="dim"), value)
    console.print(table)
    if made.plan.change:
        console.print(f"\n{made.plan.change}", soft_wrap=True)
    if made.plan.example is not None:
        console.print()
        _print_lines("-", made.plan.example.before, "red", console)
        _print_lines("+", made.plan.example.after, "green", console)


def _source(made: JobPlan) -> str:
    match made.source:
        case PlanSource.REQUEST:
            return "brought with the job"
        case PlanSource.PATTERNS:
            return "the job's own patterns"
        case PlanSource.EDITED:
            return "written by somebody"
        case PlanSource.CLAUDE:
            reused = f", for {made.reused_from}" if made.reused_from else ""
            return f"made by {made.model}{reused}"


def _rows(plan: Plan) -> Iterable[tuple[str, str]]:
    yield "files", " ".join(plan.include) or "of every path"
    if plan.exclude:
        yield "not", " ".join(plan.exclude)
    if plan.languages:
        yield "languages", " ".join(plan.languages)
    yield "that match", "\n".join(plan.matches) or "anything"
    for condition in plan.leave_alone:
        yield "left alone", _condition(condition)
    yield "Claude sees", plan.extent.value
    if plan.remaining:
        yield "done when nothing matches", "\n".join(plan.remaining)


def _condition(condition: Precondition) -> str:
    """What has to be there, or to be missing, and why."""
    text = f" with {condition.pattern}" if condition.pattern is not None else ""
    return f"{'no' if condition.missing else 'a'} {' or '.join(condition.paths)}{text}: {condition.reason}"


def _print_lines(sign: str, text: str, style: str, console: Console) -> None:
    for line in text.splitlines():
        console.print(f"{sign}{line}", style=style, soft_wrap=True)
