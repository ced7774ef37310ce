"""Progress for people: a live table on a terminal, plain lines elsewhere; always on standard error."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cody_cli.event_lines import describe
from cody_cli.progress import JobProgress, RepositoryProgress, State
from cody_cli.tables import plain_table
from cody_cli.words import count, dollars, duration
from cody_jobs.events import (
    BatchEnded,
    BatchSent,
    DispatchDelayed,
    Event,
    FileDone,
    FilesChosen,
    JobDispatched,
    PlanMade,
    RunFinished,
    RunReturned,
    RunStarted,
)

_STYLES = {
    State.WAITING: "dim",
    State.LOOKING: "cyan",
    State.ASKING: "cyan",
    State.PATCH: "green",
    State.PULL_REQUEST: "green",
    State.NO_CHANGES: "green",
    State.ESTIMATED: "green",
    State.FAILED: "red",
    State.CANCELLED: "yellow",
}
_ORDER = list(State)
_LINES_AROUND = 6
_BAR_WIDTH = 12


class View(Protocol):
    """`event` was applied to the progress that the view shows."""

    def show(self, event: Event) -> None: ...

    def say(self, text: str) -> None: ...


@contextmanager
def progress_view(progress: JobProgress, title: str, console: Console) -> Generator[View]:
    """A view for as long as the block runs."""
    if not console.is_terminal:
        yield PlainView(progress, console)
        return
    live = LiveView(progress, title, console)
    with live.running():
        yield live


class PlainView:
    """One line for each thing that happens to a repository, and for each file that fails."""

    def __init__(self, progress: JobProgress, console: Console) -> None:
        self._progress = progress
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def show(self, event: Event) -> None:
        line = _line(self._progress, event)
        if line is not None:
            self.say(line)


class LiveView:
    """A table of as many repositories as fit: those at work first, then what waits, then what is done."""

    def __init__(self, progress: JobProgress, title: str, console: Console) -> None:
        self._progress = progress
        self._title = title
        self._console = console
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8, transient=True)

    @contextmanager
    def running(self) -> Generator[None]:
        with self._live:
            yield

    def say(self, text: str) -> None:
        self._live.console.print(text)

    def show(self, event: Event) -> None:
        """Nothing to do: the table is drawn from the progress several times a second."""

    def _render(self) -> Group:
        now = datetime.now(UTC)
        shown = _chosen(self._progress, max(3, self._console.height - _LINES_AROUND))
        table = plain_table("repository", "state", "files", "", "edited", "cost", "time")
        for repository in shown:
            _add_row(table, repository, now)
        left_out = len(self._progress.repositories) - len(shown)
        more = (
            [Text(f"… and {count(left_out, 'more repository', 'more repositories')}", style="dim")] if left_out else []
        )
        return Group(_heading(self._progress, self._title), table, *more)


def _heading(progress: JobProgress, title: str) -> Text:
    done = sum(repository.state.ended for repository in progress.repositories)
    of = f"{done} of {count(len(progress.repositories), 'repository', 'repositories')} done"
    heading = Text.assemble((title, "bold"), "  ", (progress.job_id, "dim"), no_wrap=True, overflow="ellipsis")
    return heading.append(f"\n{progress.status.lower()}, {of}, {dollars(progress.cost)}\n")


def _chosen(progress: JobProgress, rows: int) -> list[RepositoryProgress]:
    everything = progress.repositories
    if len(everything) <= rows:
        return everything
    return sorted(everything, key=lambda repository: _ORDER.index(repository.state))[:rows]


def _add_row(table: Table, repository: RepositoryProgress, now: datetime) -> None:
    candidates = repository.candidates
    table.add_row(
        repository.repository,
        Text(repository.state, style=_STYLES[repository.state]),
        "" if candidates is None else f"{repository.done}/{candidates}",
        _bar(repository),
        "" if candidates is None else str(repository.edited),
        dollars(repository.cost) if repository.cost else "",
        duration(repository.seconds(now)),
    )


def _bar(repository: RepositoryProgress) -> Text:
    if not repository.candidates:
        return Text(" " * _BAR_WIDTH)
    full = min(_BAR_WIDTH, repository.done * _BAR_WIDTH // repository.candidates)
    return Text.assemble(("━" * full, _STYLES[repository.state]), ("━" * (_BAR_WIDTH - full), "bright_black"))


def _line(progress: JobProgress, event: Event) -> str | None:
    match event.body:
        case (
            JobDispatched()
            | DispatchDelayed()
            | PlanMade()
            | RunStarted()
            | FilesChosen()
            | BatchSent()
            | BatchEnded()
            | RunReturned()
            | FileDone(result="failed")
        ):
            return describe(event.body)
        case RunFinished(repository=name):
            repository = progress.repository(name)
            facts = [dollars(repository.cost), duration(repository.seconds(datetime.now(UTC)))]
            return f"{describe(event.body)} ({', '.join(filter(None, facts))})"
        case _:
            return None
