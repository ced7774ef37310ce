import asyncpg
import pytest

from cody_backends.postgres.errors import translate, translated
from cody_jobs.errors import CodyError, JobNotFound, SettingsError, Unavailable


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.CrashShutdownError("terminating connection because of crash of another server process"),
        asyncpg.SerializationError("could not serialize access"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionRefusedError(111, "Connection refused"),
        FileNotFoundError(2, "No such file or directory"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_with_the_server_may_be_over_later(error: Exception) -> None:
    known = translate("the database", error)
    assert isinstance(known, Unavailable)
    assert known.dependency == "the database"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError('password authentication failed for user "cody"'),
        asyncpg.InvalidAuthorizationSpecificationError('role "cody" does not exist'),
        asyncpg.InvalidCatalogNameError('database "cody" does not exist'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_setting_is_the_reason_of_is_said_to_be_that(error: Exception) -> None:
    known = translate("PostgreSQL (DATABASE_URL)", error)
    assert isinstance(known, SettingsError)
    assert str(known) == f"PostgreSQL (DATABASE_URL): {error}"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.PostgresSyntaxError("syntax error"),
        asyncpg.InterfaceError("the server expects 1 argument"),
        ValueError("something else"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_own_mistakes_are_no_trouble_of_the_server(error: Exception) -> None:
    assert translate("the database", error) is None


def test_errors_of_our_own_pass() -> None:
    with pytest.raises(JobNotFound), translated("the database"):
        raise JobNotFound


def test_the_vendors_error_stays_the_cause() -> None:
    with pytest.raises(CodyError) as caught, translated("the database"):
        raise ConnectionRefusedError(111, "Connection refused")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
