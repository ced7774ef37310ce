"""The API on a real database: called in this process, or served on a real socket."""

import asyncio
import io
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TextIO, cast

import httpx
import msgspec
import pytest
import structlog
from litestar import Litestar
from msgspec import Struct

from cody_api.create_app import create_app
from cody_api.event_streams import EventStreams
from cody_api.http_server import listen, serving, url_of
from cody_api.settings import ApiSettings
from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_jobs.ports import Role
from cody_runtime.logs import configure_logs
from tests.unit.cody_api.stand_ins import SECRET, backends_without_stores

Client = httpx.AsyncClient
Logged = Callable[[], list[dict[str, object]]]
ClientFor = Callable[[Litestar, str | None], Client]
LOCAL = "http://127.0.0.1:8080"


@pytest.fixture
def logged() -> Generator[Logged]:
    """What was logged, as a program writes it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs("api", level="DEBUG")
    written = io.StringIO()
    for handler in root.handlers:
        if isinstance(handler, logging.StreamHandler):
            cast("logging.StreamHandler[TextIO]", handler).setStream(written)

    def look() -> list[dict[str, object]]:
        return [msgspec.json.decode(line, type=dict[str, object]) for line in written.getvalue().splitlines()]

    yield look
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
async def backends(backend_settings: BackendSettings) -> AsyncGenerator[Backends]:
    async with open_backends(backend_settings) as opened:
        yield opened


@pytest.fixture
def settings(backend_settings: BackendSettings) -> ApiSettings:
    return ApiSettings(backend=backend_settings, allowed_repositories=("acme/*",))


@pytest.fixture
def app(backends: Backends, settings: ApiSettings) -> Litestar:
    return create_app(backends, settings)


@pytest.fixture
async def client_for() -> AsyncGenerator[ClientFor]:
    """Make clients that call an application without a socket, with the token given."""
    made: list[Client] = []

    def make(app: Litestar, token: str | None) -> Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
        made.append(Client(transport=transport, base_url=LOCAL, headers=headers))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
async def client(app: Litestar, backends: Backends, client_for: ClientFor) -> Client:
    """A client that may submit jobs."""
    return client_for(app, await backends.tokens.create_token("ci", Role.SUBMITTER))


@pytest.fixture
def bare_settings() -> ApiSettings:
    """Settings of an API whose database is never asked."""
    return ApiSettings(backend=BackendSettings(database_url="postgresql:///unused"), allowed_repositories=("acme/*",))


@pytest.fixture
def bare_app(bare_settings: ApiSettings) -> Litestar:
    """An application for requests that end before any store is asked."""
    return create_app(backends_without_stores(Role.SUBMITTER), bare_settings)


@pytest.fixture
def bare_client(bare_app: Litestar, client_for: ClientFor) -> Client:
    return client_for(bare_app, SECRET)


class Served(Struct, frozen=True, kw_only=True):
    """The API on a real socket."""

    url: str
    port: int
    stop: asyncio.Event
    streams: EventStreams


ServedBy = Callable[[Backends], AbstractAsyncContextManager[Served]]


@pytest.fixture
def served_by(settings: ApiSettings) -> ServedBy:
    """Serve the API on these ports."""

    @asynccontextmanager
    async def serve(backends: Backends) -> AsyncGenerator[Served]:
        streams = EventStreams(backends, stop=asyncio.Event())
        with listen("127.0.0.1", 0) as listener:
            async with serving(create_app(backends, settings, streams=streams), listener):
                url = url_of("127.0.0.1", listener)
                yield Served(url=url, port=int(url.rpartition(":")[2]), stop=streams.stop, streams=streams)
                streams.stop.set()

    return serve


@pytest.fixture
async def served(backends: Backends, served_by: ServedBy) -> AsyncGenerator[Served]:
    async with served_by(backends) as served:
        yield served
