"""How far a job is, as its events tell it."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from cody_jobs.events import (
    ApprovalAwaited,
    Event,
    FileDone,
    FilesChosen,
    JobApproved,
    JobDispatched,
    JobFinished,
    JobRetried,
    PlanMade,
    RunFinished,
    RunReturned,
    RunStarted,
)
from cody_jobs.models import Failure, FileCounts, JobStatus, RunStatus


class State(StrEnum):
    """What a repository is doing, in the order in which people want to see them."""

    LOOKING = "looking"
    ASKING = "asking"
    WAITING = "waiting"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PATCH = "patch"
    PULL_REQUEST = "pull request"
    NO_CHANGES = "no changes"
    ESTIMATED = "estimated"

    @property
    def at_work(self) -> bool:
        return self in (State.LOOKING, State.ASKING)

    @property
    def ended(self) -> bool:
        return not self.at_work and self is not State.WAITING


class RepositoryProgress:
    """One repository. `cost` is in millionths of a US dollar, over all attempts."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.state = State.WAITING
        self.candidates: int | None = None
        self.done = self.edited = self.failed = 0
        self.cost = 0
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.failure: Failure | None = None

    def begin(self, at: datetime) -> None:
        self.state, self.started_at, self.ended_at, self.failure = State.LOOKING, at, None, None
        self.candidates, self.done, self.edited, self.failed = None, 0, 0, 0

    def choose(self, files: FileCounts) -> None:
        self.state, self.candidates = State.ASKING, files.candidates

    def count(self, file: FileDone) -> None:
        self.done += 1
        self.edited += file.result == "edited"
        self.failed += file.result == "failed"
        self.cost += file.cost_microusd

    def give_back(self) -> None:
        self.state, self.started_at = State.WAITING, None

    def end(self, event: RunFinished, at: datetime) -> None:
        self.state, self.ended_at, self.failure = _state_at_end(event), at, event.failure
        files = event.files
        self.candidates, self.edited, self.failed = files.candidates, files.edited, files.failed
        self.done = files.edited + files.unchanged + files.failed

    def seconds(self, now: datetime) -> float | None:
        return ((self.ended_at or now) - self.started_at).total_seconds() if self.started_at else None


class JobProgress:
    """A job of these repositories, in this order; fed with its events from the first one on."""

    def __init__(self, job_id: str, repositories: Iterable[str]) -> None:
        self.job_id = job_id
        self.status = JobStatus.PENDING
        self.failure: Failure | None = None
        self.last_event = 0
        self._plan_cost = 0
        self._repositories = {name: RepositoryProgress(name) for name in repositories}

    @property
    def repositories(self) -> list[RepositoryProgress]:
        return list(self._repositories.values())

    @property
    def cost(self) -> int:
        return self._plan_cost + sum(repository.cost for repository in self._repositories.values())

    def repository(self, name: str) -> RepositoryProgress:
        return self._repositories.setdefault(name, RepositoryProgress(name))

    def apply(self, event: Event) -> None:
        self.last_event = event.id
        match event.body:
            case PlanMade(cost_microusd=cost):
                self._plan_cost += cost
            case RunStarted(repository=name):
                self.repository(name).begin(event.at)
            case FilesChosen(repository=name, files=files):
                self.repository(name).choose(files)
            case FileDone(repository=name) as file:
                self.repository(name).count(file)
            case RunReturned(repository=name):
                self.repository(name).give_back()
            case RunFinished(repository=name) as finished:
                self.repository(name).end(finished, event.at)
            case JobDispatched():
                self.status = JobStatus.RUNNING
            case ApprovalAwaited():
                self.status = JobStatus.AWAITING_APPROVAL
            case JobRetried() | JobApproved():
                self.status = JobStatus.PENDING
            case JobFinished(status=status, failure=failure):
                self.status, self.failure = status, failure
                self._cancel_the_rest()
            case _:
                pass

    def _cancel_the_rest(self) -> None:
        """A job that is stopped cancels its unfinished runs all at once, without an event for each."""
        for repository in self._repositories.values():
            if not repository.state.ended:
                repository.state = State.CANCELLED


def _state_at_end(event: RunFinished) -> State:
    if event.status is RunStatus.SUCCEEDED and event.outcome is not None:
        return State(event.outcome.replace("_", " "))
    return State.CANCELLED if event.status is RunStatus.CANCELLED else State.FAILED
