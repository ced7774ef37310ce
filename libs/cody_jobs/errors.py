"""Errors by what can be done about them; an adapter translates its vendor's errors into one of these families."""


class CodyError(Exception):
    """Something went wrong in Cody Batch."""

    code: str = "internal_error"


class JobRejected(CodyError):
    """The request cannot be accepted as it is: the caller has to change it."""

    code = "rejected"


class JobNotFound(JobRejected):
    """There is no job with this id."""

    code = "job_not_found"


class RunNotFound(JobRejected):
    """This job has no such repository."""

    code = "run_not_found"


class ResultNotFound(JobRejected):
    """There is no such result (yet)."""

    code = "result_not_found"


class IdempotencyConflict(JobRejected):
    """This Idempotency-Key was used before, with another body."""

    code = "idempotency_conflict"


class NothingFound(JobRejected):
    """The query brings no repository."""

    code = "nothing_found"


class BadQuery(JobRejected):
    """The code host does not understand the query."""

    code = "bad_query"


class IllegalTransition(JobRejected):
    """This state cannot follow the present one."""

    code = "illegal_transition"


class MalformedMessage(CodyError):
    """A queue message that no program of ours can have written."""

    code = "malformed_message"


class LeaseLost(CodyError):
    """The run is not (or no longer) held by this owner: somebody else works on it, or it has ended."""

    code = "lease_lost"


class RunLost(LeaseLost):
    """The run had been lost too often, and this claim ended it as failed: nobody but its caller can tell of that."""

    code = "run_lost"


class JobFailed(CodyError):
    """It ran and cannot succeed; `code` is one of `FailureCode`, and the message is shown to the user."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class Unavailable(CodyError):
    """A dependency does not answer; the same call may work later.

    `dependency` names it for people ("PostgreSQL at …"), `retry_after` is in seconds when the dependency said so.
    """

    code = "unavailable"

    def __init__(self, dependency: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{dependency}: {message}")
        self.dependency = dependency
        self.retry_after = retry_after


class PerhapsDone(Unavailable):
    """The request may have done its work, and the answer was lost: look before it is made again."""

    code = "perhaps_done"


class SettingsError(CodyError):
    """A setting is missing or wrong; the message names the variable, what is wrong, and what would be right."""

    code = "bad_setting"
