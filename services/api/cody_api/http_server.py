"""An HTTP server around an application: a bound socket, uvicorn without its own signal handling, an orderly end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import uvicorn
from litestar import Litestar

from cody_jobs.errors import SettingsError
from cody_runtime.tasks import task_group

_GRACE_SECONDS = 3
"""Answers under way may finish; event streams end by themselves."""
_BACKLOG = 2_048


@contextlib.contextmanager
def listen(host: str, port: int) -> Generator[socket.socket]:
    """A listening socket; connections wait until somebody serves them. Raises `SettingsError` naming the setting."""
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


def url_of(host: str, listener: socket.socket) -> str:
    """The address that clients use; the port is the real one where 0 was asked for."""
    port: int = listener.getsockname()[1]
    return f"http://[{host.strip('[]')}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: Litestar, listener: socket.socket) -> AsyncGenerator[None]:
    """Answer requests while the block runs. At its end, answers under way may finish; what takes longer is cut off."""
    server = _Server(_configure(app))
    async with task_group() as tasks:
        tasks.create_task(server.serve(sockets=[listener]), name="serve-http")
        await server.listening.wait()
        try:
            yield
        finally:
            server.should_exit = True


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
        app,  # pyright: ignore[reportArgumentType] (Litestar says the same ASGI types in other words)
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
