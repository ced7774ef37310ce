"""The application: routes, who may call them, and how errors leave."""

import asyncio
from collections.abc import Sequence
from importlib import metadata

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from opentelemetry import trace as trace_api
from opentelemetry.trace import TracerProvider

from cody_api.accept_job import AcceptJob
from cody_api.answer_errors import EXCEPTION_HANDLERS
from cody_api.answer_options import answer_options
from cody_api.auth import TokenCheck, guard_roles
from cody_api.event_streams import EventStreams
from cody_api.guard_browsers import guard_browsers
from cody_api.observe_requests import observe_requests
from cody_api.openapi import openapi_config
from cody_api.routes import documentation, events, groups, health, jobs, plan, repositories, trace
from cody_api.settings import ApiSettings, AuthMode
from cody_backends.open_backends import Backends

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes; 10,000 names of 200 characters and the longest prompt fit in."""

ROUTES: Sequence[HTTPRouteHandler] = (
    health.health,
    health.ready,
    jobs.create_job,
    jobs.list_jobs,
    jobs.get_job,
    jobs.cancel,
    jobs.approve,
    jobs.retry,
    plan.get_plan,
    plan.put_plan,
    plan.get_plan_thread,
    groups.list_failures,
    groups.list_diff_groups,
    repositories.list_repositories,
    repositories.get_repository,
    repositories.get_diff,
    repositories.get_claude_thread,
    events.get_events,
    trace.get_trace,
    documentation.openapi_document,
    documentation.documentation_page,
    documentation.documentation_file,
)


def create_app(
    backends: Backends,
    settings: ApiSettings,
    *,
    streams: EventStreams | None = None,
    tracers: TracerProvider | None = None,
) -> Litestar:
    """`streams` are given by a server that wants to end them when it stops; `tracers` make the spans of requests (the
    process's own ones, where none are given)."""
    tracers = tracers or trace_api.get_tracer_provider()
    check = TokenCheck(backends.tokens) if settings.api_auth is AuthMode.TOKENS else None
    app = Litestar(
        route_handlers=[*answer_options(ROUTES), *ROUTES],
        guards=[guard_browsers(settings), guard_roles(check)],
        dependencies={
            "backends": _provide(backends),
            "settings": _provide(settings),
            "accept_job": _provide(AcceptJob(backends, tracers)),
            "tracers": _provide(tracers),
            "streams": _provide(streams or EventStreams(backends, stop=asyncio.Event())),
        },
        cors_config=_cors(settings.cors_origins),
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
        openapi_config=openapi_config(metadata.version("cody-batch"), with_tokens=check is not None),
        request_max_body_size=LARGEST_BODY,
    )
    app.asgi_handler = observe_requests(app.asgi_handler, tracers)
    return app


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
        expose_headers=["Location", "Idempotency-Replayed", "Retry-After"],
    )
