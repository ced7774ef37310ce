"""Serve until asked to stop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from litestar import Litestar

from cody_api.create_app import create_app
from cody_api.embedded import ensure_first_token, published_address
from cody_api.observe_requests import keep_job_spans
from cody_api.settings import ApiSettings, AuthMode, check_settings
from cody_backends.open_backends import open_backends
from cody_jobs.errors import SettingsError
from cody_jobs.ports.compute import EXIT_FAILED, EXIT_OK
from cody_runtime.logs import get_logger
from cody_runtime.program import Program

log = get_logger("cody_api")

_GRACE_SECONDS = 3
"""Answers under way may finish; event streams end by themselves."""
_BACKLOG = 2_048


async def serve(settings: ApiSettings, program: Program) -> int:
    """The exit code. Raises `SettingsError` for settings that cannot work, `Unavailable` for a database that stays
    away."""
    check_settings(settings)
    if settings.api_auth is AuthMode.NONE:
        log.warning("no_authentication", setting="API_AUTH=none", meaning="whoever can connect may do everything")
    with bind(settings.api_host, settings.api_port) as listener:
        async with AsyncExitStack() as stack:
            backends = await stack.enter_async_context(open_backends(settings.backend))
            if settings.backend.embedded:
                await ensure_first_token(backends.tokens, settings.backend.data_folder)
                await stack.enter_async_context(program.spans.keep(keep_job_spans(backends.results.append_spans)))
            app = create_app(backends, settings, stop=program.stop)
            return await _run(app, listener, settings, program.stop)


@contextlib.contextmanager
def bind(host: str, port: int) -> Generator[socket.socket]:
    """A bound socket. Raises `SettingsError` when the address is taken or is none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SettingsError(f"API_HOST: {host!r} is not an address of this machine: {error.strerror}") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)  # at once: two programs may both bind, but only one may listen
        except OSError as error:
            raise SettingsError(
                f"API_PORT: cannot listen on {host} port {port}: {error.strerror}. "
                "Set API_PORT to another port, or to 0 for any free one."
            ) from error
        yield listener


async def _run(app: Litestar, listener: socket.socket, settings: ApiSettings, stop: asyncio.Event) -> int:
    server = _Server(_configure(app))
    url = _url(settings.api_host, listener)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[listener]), name="serve-http")
        stopping = tasks.create_task(_stop_when(stop, server), name="stop-http")
        await server.listening.wait()
        async with _announced(settings, url):
            await serving
        stopping.cancel()
    return EXIT_OK if stop.is_set() else EXIT_FAILED


class _Server(uvicorn.Server):
    """Leaves signals to the program's frame, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def _configure(app: Litestar) -> uvicorn.Config:
    """httptools parses; the loop is asyncio's own, which starts child processes faster than uvloop does."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type] # Litestar's ASGI types say the same in other words
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


@asynccontextmanager
async def _announced(settings: ApiSettings, url: str) -> AsyncGenerator[None]:
    log.info("serving", url=url, auth=settings.api_auth, docs=f"{url}/docs")
    if not settings.backend.embedded:
        yield
        return
    async with published_address(settings.backend.data_folder, url):
        yield


async def _stop_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    log.info("stopping")
    server.should_exit = True


def _url(host: str, listener: socket.socket) -> str:
    """The address that clients use; the port is the real one where API_PORT is 0."""
    port: int = listener.getsockname()[1]
    return f"http://[{host.strip('[]')}]:{port}" if ":" in host else f"http://{host}:{port}"
