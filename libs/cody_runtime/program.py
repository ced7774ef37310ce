"""The frame of every service: settings, logs and telemetry first, then its main, then an orderly end."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, Protocol, TypeVar

from msgspec import Meta, Struct

from cody_jobs.errors import SettingsError, Unavailable
from cody_jobs.ports.compute import EXIT_FAILED, EXIT_TRY_AGAIN
from cody_runtime.logs import configure_logs, get_logger
from cody_runtime.settings import load_settings
from cody_runtime.shutdown import PARENT_PIPE, stop_on_signals
from cody_runtime.telemetry import SpanKeeper, configure_telemetry, shut_down_telemetry


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFormat(StrEnum):
    JSON = "json"
    PLAIN = "plain"


class RuntimeSettings(Struct, frozen=True, kw_only=True):
    """What every program has."""

    log_level: Annotated[LogLevel, Meta(description="DEBUG, INFO, WARNING or ERROR.")] = LogLevel.INFO
    log_format: Annotated[LogFormat, Meta(description="json (one object a line) or plain (for people).")] = (
        LogFormat.JSON
    )


class HasRuntime(Protocol):
    @property
    def runtime(self) -> RuntimeSettings: ...


class Program(Struct, frozen=True, kw_only=True):
    """What a service's main is given besides its settings."""

    stop: asyncio.Event
    spans: SpanKeeper
    environment: Mapping[str, str]


S = TypeVar("S", bound=Struct)
Main = Callable[[S, Program], Awaitable[int]]


def run_program(service: str, kind: type[S], main: Main[S], environment: Mapping[str, str]) -> int:
    """Run a service to its end; the exit code. 1: a setting is wrong or it failed; 75: a dependency stayed away.

    `kind` is the service's settings Struct, with a field `runtime: RuntimeSettings`.
    """
    try:
        settings = load_settings(kind, environment)
        runtime = load_settings(RuntimeSettings, environment)
    except SettingsError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return EXIT_FAILED
    configure_logs(service, level=runtime.log_level, plain=runtime.log_format is LogFormat.PLAIN)
    spans = configure_telemetry(service, environment)
    try:
        return asyncio.run(_run(service, settings, main, spans, environment))
    finally:
        shut_down_telemetry()


async def _run(service: str, settings: S, main: Main[S], spans: SpanKeeper, environment: Mapping[str, str]) -> int:
    log = get_logger(service)
    pipe = environment.get(PARENT_PIPE)
    async with stop_on_signals(int(pipe) if pipe else None) as stop:
        try:
            return await main(settings, Program(stop=stop, spans=spans, environment=environment))
        except Unavailable as error:
            log.error("dependency_unavailable", dependency=error.dependency, error=str(error))
            return EXIT_TRY_AGAIN
        except SettingsError as error:
            log.error("bad_setting", error=str(error))
            return EXIT_FAILED
        except Exception:
            log.exception("program_failed")
            return EXIT_FAILED
