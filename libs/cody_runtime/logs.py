"""Structured logs: one JSON object a line on standard error, or plain lines on a terminal.

Events are constants, facts are fields. Every line carries the ids of the current span. Whatever looks like a secret
is censored last, so that no library's message can carry one out.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, cast

import structlog
from opentelemetry import trace

Event = MutableMapping[str, Any]

_SECRET_FIELD = re.compile(r"(?i)(api_?key|token|secret|password|authorization)$")
_SECRET_TEXT = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{8,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|cody_[A-Za-z0-9_-]{20,}"
    r"|AKIA[0-9A-Z]{16}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?i:(?<=bearer )[A-Za-z0-9._~+/-]{8,}=*)"
)


def configure_logs(service: str, *, level: str = "INFO", plain: bool = False) -> None:
    """Route structlog and the standard library's logging through one chain to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _capital_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_ids,
        _adder(service),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if plain
        else structlog.processors.JSONRenderer(default=str)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            censor,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpx2", "anthropic", "uvicorn.access", "opentelemetry", "botocore", "aiobotocore"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    return structlog.stdlib.get_logger(name)


def censor(_logger: object, _method: str, event: Event) -> Event:
    """Replace values of secret-looking fields, and secret-looking text anywhere."""
    for key, value in event.items():
        event[key] = "[secret]" if _SECRET_FIELD.search(key) else _censor_value(value)
    return event


def censor_text(text: str) -> str:
    return _SECRET_TEXT.sub("[secret]", text)


def _censor_value(value: Any) -> object:
    match value:
        case str():
            return censor_text(value)
        case dict():
            return {key: _censor_value(inner) for key, inner in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [_censor_value(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def _capital_level(_logger: object, _method: str, event: Event) -> Event:
    event["level"] = str(event["level"]).upper()
    return event


def _add_trace_ids(_logger: object, _method: str, event: Event) -> Event:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _adder(service: str) -> structlog.typing.Processor:
    def add_service(_logger: object, _method: str, event: Event) -> Event:
        event.setdefault("service", service)
        return event

    return add_service
