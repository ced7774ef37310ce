"""The stores themselves, for operators: with the settings of the programs, without the API in between."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_cli.failures import BadInput, CommandFailed
from cody_jobs.errors import CodyError, SettingsError, Unavailable
from cody_runtime.logs import configure_logs
from cody_runtime.settings import load_settings

_PATIENCE_SECONDS = 5.0
"""An operator is waiting; the programs wait longer."""


@asynccontextmanager
async def open_stores(environment: Mapping[str, str]) -> AsyncGenerator[Backends]:
    """Open them for one command; whatever goes wrong becomes a message for people."""
    configure_logs("cody-batch", level="WARNING", plain=True)
    try:
        async with open_backends(load_settings(BackendSettings, environment), patience=_PATIENCE_SECONDS) as backends:
            yield backends
    except SettingsError as error:
        raise BadInput(str(error)) from error
    except Unavailable as error:
        raise CommandFailed(str(error), hint=_hint(environment)) from error
    except CodyError as error:
        raise CommandFailed(str(error) or (type(error).__doc__ or error.code)) from error


def _hint(environment: Mapping[str, str]) -> str:
    if environment.get("CODY_BACKEND") == "aws":
        return "look at DATABASE_URL, AWS_REGION and, for emulators, AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_SQS"
    return "look at DATABASE_URL, or unset it to use CODY_DATA"
