"""Serve until asked to stop."""

from contextlib import AsyncExitStack

from cody_api.create_app import create_app
from cody_api.embedded import ensure_first_token, published_address
from cody_api.event_streams import EventStreams
from cody_api.http_server import listen, serving, url_of
from cody_api.observe_requests import keep_job_spans
from cody_api.settings import ApiSettings, AuthMode, check_settings
from cody_backends.open_backends import open_backends
from cody_jobs.ports.compute import EXIT_OK
from cody_runtime.logs import get_logger
from cody_runtime.program import Program

log = get_logger("cody_api")

OPERATION_PATIENCE = 10.0
"""Seconds until a request whose database is away is answered 503: clients wait for it."""


async def serve(settings: ApiSettings, program: Program) -> int:
    """The exit code. Raises `SettingsError` for settings that cannot work, `Unavailable` for a database that stays
    away."""
    check_settings(settings)
    if settings.api_auth is AuthMode.NONE:
        log.warning("no_authentication", setting="API_AUTH=none", meaning="whoever can connect may do everything")
    with listen(settings.api_host, settings.api_port) as listener:
        async with AsyncExitStack() as stack:
            backends = await stack.enter_async_context(
                open_backends(settings.backend, operation_patience=OPERATION_PATIENCE)
            )
            if settings.backend.embedded:
                await ensure_first_token(backends.tokens, settings.backend.data_folder)
                await stack.enter_async_context(program.spans.keep(keep_job_spans(backends.results.append_spans)))
            url = url_of(settings.api_host, listener)
            app = create_app(backends, settings, streams=EventStreams(backends, stop=program.stop))
            await stack.enter_async_context(serving(app, listener))
            if settings.backend.embedded:
                await stack.enter_async_context(published_address(settings.backend.data_folder, url))
            log.info("serving", url=url, auth=settings.api_auth, docs=f"{url}/docs")
            await program.stop.wait()
            log.info("stopping")
    return EXIT_OK
