"""Which ended runs are worked on once more."""

from msgspec import Struct

from cody_jobs.models import FailureCode, RepositoryRun, RunOutcome, RunStatus
from cody_jobs.repository_names import is_allowed

_UNSUCCESSFUL = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})


class RunFilter(Struct, frozen=True, kw_only=True, rename="camel"):
    """`codes` are those of failed runs, `outcomes` those of succeeded ones; `repositories` are globs, of which a name
    has to match one (none: any).

    Without codes and outcomes, failed and cancelled runs are meant; with `succeeded_too`, succeeded ones as well.
    """

    codes: tuple[FailureCode, ...] = ()
    outcomes: tuple[RunOutcome, ...] = ()
    repositories: tuple[str, ...] = ()
    succeeded_too: bool = False

    @property
    def is_plain(self) -> bool:
        """It asks for what failed or was cancelled, and for nothing else."""
        return self == PLAIN

    def takes(self, run: RepositoryRun) -> bool:
        """Never a run that has not ended."""
        if self.repositories and not is_allowed(run.repository, self.repositories):
            return False
        if run.status is RunStatus.SUCCEEDED:
            return self.succeeded_too or run.outcome in self.outcomes
        if self.codes or self.outcomes:
            return run.status is RunStatus.FAILED and run.failure is not None and run.failure.code in self.codes
        return run.status in _UNSUCCESSFUL


PLAIN = RunFilter()
EVERY_ENDED = RunFilter(succeeded_too=True)
