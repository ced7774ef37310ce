"""asyncpg's errors by what can be done about them: the one place that knows them."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg

from cody_jobs.errors import CodyError, SettingsError, Unavailable

_SERVER_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,  # too many connections, out of memory, disk full
    asyncpg.TransactionRollbackError,  # serialization failure, deadlock
    asyncpg.InvalidCachedStatementError,  # the schema was changed meanwhile
    asyncpg.InternalClientError,
)
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password is one of them
    asyncpg.InvalidCatalogNameError,
)


@contextmanager
def translated(database: str) -> Generator[None]:
    """Turn trouble with the connection into `Unavailable` or `SettingsError`; let every other error pass.

    `database` names the server for people, with the setting that points at it.
    """
    try:
        yield
    except CodyError:
        raise
    except Exception as error:
        known = translate(database, error)
        if known is None:
            raise
        raise known from error


def translate(database: str, error: Exception) -> CodyError | None:
    if isinstance(error, _REFUSED):
        return SettingsError(f"{database}: {error}")
    if isinstance(error, TimeoutError):
        return Unavailable(database, "no answer in time")
    if isinstance(error, (*_SERVER_AWAY, OSError)) or _is_closed_connection(error):
        return Unavailable(database, str(error) or type(error).__name__)
    return None


def _is_closed_connection(error: Exception) -> bool:
    """asyncpg has no class of its own for a call on a connection that was lost a moment ago."""
    return isinstance(error, asyncpg.InterfaceError) and "connection" in str(error) and "clos" in str(error)
