"""How the outer loops tell what went wrong: a dependency that is away in a line, a surprise with its stack."""

from cody_jobs.errors import Unavailable
from cody_runtime.logs import get_logger

log = get_logger(__name__)


def log_failure(event: str, error: Exception, **facts: object) -> None:
    if isinstance(error, Unavailable):
        log.warning(event, dependency=error.dependency, error=str(error), **facts)
        return
    log.error(event, error=f"{type(error).__name__}: {error}", exc_info=error, **facts)
