"""What a dry run says: a line for each repository, and what they would cost together."""

from collections.abc import Iterable
from typing import Protocol

from rich.console import Console
from rich.text import Text

from cody_cli.tables import plain_table
from cody_cli.words import count, dollars
from cody_jobs.estimates import JobEstimate, Range, RepositoryEstimate
from cody_jobs.models import Failure

_COLUMNS = ("repository", "files", "matches", "known", "calls", "tokens", "at least", "expected", "at most", "")


class EstimatedRun(Protocol):
    """A run, as far as this looks at it."""

    @property
    def repository(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def failure(self) -> Failure | None: ...
    @property
    def estimate(self) -> RepositoryEstimate | None: ...


def print_estimates(runs: Iterable[EstimatedRun], total: JobEstimate | None, console: Console) -> None:
    table = plain_table(*_COLUMNS)
    notes: dict[str, None] = {}
    for run in runs:
        table.add_row(run.repository, *_cells(run.estimate), _why_none(run))
        notes |= dict.fromkeys(run.estimate.notes if run.estimate is not None else ())
    if total is not None and total.repositories > 1:
        table.add_row(Text("all", style="bold"), *_cells(total), "")
    console.print(table)
    if total is not None and total.repositories:
        console.print(f"\n{_total_words(total)}", style="bold")
    for note in notes:
        console.print(note, style="dim")


def _cells(estimate: RepositoryEstimate | JobEstimate | None) -> list[str]:
    if estimate is None:
        return [""] * (len(_COLUMNS) - 2)
    tokens = estimate.input_tokens.expected + estimate.output_tokens.expected
    cost = estimate.cost_microusd
    numbers = (estimate.candidates, estimate.matches, estimate.known, estimate.calls.expected, tokens)
    return [*(f"{number:,}" for number in numbers), *map(dollars, (cost.low, cost.expected, cost.high))]


def _why_none(run: EstimatedRun) -> str:
    if run.estimate is not None:
        return ""
    return f"{run.failure.code}: {run.failure.message}" if run.failure is not None else run.reason or ""


def _total_words(total: JobEstimate) -> str:
    files = f"{count(total.candidates, 'file')} in {count(total.repositories, 'repository', 'repositories')}"
    by = "counted for some of them" if total.counted else "guessed from bytes"
    return f"would ask {total.model} about {files}: {_range(total.cost_microusd)}; tokens are {by}"


def _range(cost: Range) -> str:
    return f"about {dollars(cost.expected)} ({dollars(cost.low)} to {dollars(cost.high)})"
