"""The program `python -m cody_api`, from outside: it starts, serves, and stops in order."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from httpx_sse import aconnect_sse
from msgspec import Struct

from cody_api.embedded import Address
from cody_backends.postgres.embedded.layout import socket_file
from cody_backends.postgres.embedded.server import EmbeddedServer
from tests.support.wait import wait_until
from tests.unit.cody_api.stories import job_body
from tests.unit.cody_backends.postgres.relay import relay_to


class Running(Struct, frozen=True, kw_only=True):
    process: Process
    log: Path

    def lines(self) -> list[dict[str, object]]:
        text = self.log.read_text()
        return [msgspec.json.decode(line, type=dict[str, object]) for line in text.splitlines() if line[:1] == "{"]

    def said(self, event: str) -> dict[str, object] | None:
        return next((line for line in self.lines() if line["event"] == event), None)


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Start:
    """Start the program with these settings; it is gone when the block ends."""

    @asynccontextmanager
    async def run(**settings: str) -> AsyncGenerator[Running]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CODY_DATA": str(tmp_path / "data"),
            "DATABASE_URL": database_url,
            "API_PORT": "0",
            "ALLOWED_REPOSITORIES": "acme/*",
        }
        log = tmp_path / "api.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cody_api", env=environment | settings, stderr=file
            )
        try:
            yield Running(process=process, log=log)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    return run


async def serving(api: Running) -> str:
    await wait_until(lambda: api.said("serving"), "the API serves")
    line = api.said("serving")
    assert line is not None
    return str(line["url"])


async def test_a_stop_with_an_open_event_stream_ends_in_order(start: Start) -> None:
    async with start(API_AUTH="none") as api:
        url = await serving(api)
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            job_id = (await client.post("/jobs", json=job_body("acme/web"))).json()["id"]
            async with aconnect_sse(client, "GET", f"/jobs/{job_id}/events") as source:
                events = source.aiter_sse()
                assert (await anext(events)).event == "job_created"
                api.process.send_signal(signal.SIGTERM)
                assert [event async for event in events] == []
        assert await api.process.wait() == 0
    assert api.said("stopping")
    assert not [line for line in api.lines() if line["level"] == "ERROR"]


async def test_a_request_under_way_is_answered_before_the_end(start: Start) -> None:
    """Half of a request is there when the program is told to stop: it gets its answer."""
    async with start(API_AUTH="none") as api:
        url = httpx.URL(await serving(api))
        reader, writer = await asyncio.open_connection(url.host, url.port)
        body = msgspec.json.encode(job_body("acme/web"))
        head = f"POST /jobs HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:20])
        async with httpx.AsyncClient(base_url=url) as client:  # an answer to somebody else: our half has arrived
            assert (await client.get("/health")).status_code == 200
        api.process.send_signal(signal.SIGTERM)
        await wait_until(lambda: api.said("stopping"), "the API stops")
        writer.write(body[20:])
        assert (await reader.readline()).split()[1] == b"202"
        writer.close()
        assert await api.process.wait() == 0


async def test_no_authentication_is_warned_about_at_every_start(start: Start) -> None:
    async with start(API_AUTH="none") as api:
        await serving(api)
        warning = api.said("no_authentication")
        assert warning is not None
        assert (warning["level"], warning["setting"]) == ("WARNING", "API_AUTH=none")


async def test_tokens_are_the_default(start: Start, tmp_path: Path) -> None:
    async with start() as api:
        url = await serving(api)
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/jobs")).status_code == 401
        assert not api.said("no_authentication")
    assert not (tmp_path / "data" / "token").exists(), "a shared database's first token is made by an operator"


async def test_a_request_without_a_database_is_answered_before_its_client_gives_up(
    start: Start, postgres_server: EmbeddedServer, database_url: str
) -> None:
    """30 s is what common clients wait; operations of other programs wait out more."""
    async with relay_to(socket_file(postgres_server.socket_folder)) as relay:
        url = f"postgresql://cody@127.0.0.1:{relay.port}{urlsplit(database_url).path}"
        async with (
            start(API_AUTH="none", DATABASE_URL=url) as api,
            httpx.AsyncClient(base_url=await serving(api), timeout=30) as client,
        ):
            assert (await client.get("/jobs")).status_code == 200
            await relay.close()
            answer = await client.get("/jobs")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_port_that_is_taken_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with start(API_PORT=str(taken.getsockname()[1])) as api:
            assert await api.process.wait() == 1
    refused = api.said("bad_setting")
    assert refused is not None
    assert str(refused["error"]).startswith("API_PORT: ")


async def test_the_embedded_mode_refuses_to_listen_to_others(start: Start) -> None:
    async with start(DATABASE_URL="", API_HOST="0.0.0.0") as api:
        assert await api.process.wait() == 1
    refused = api.said("bad_setting")
    assert refused is not None
    assert str(refused["error"]).startswith("API_HOST: ")
    assert "DATABASE_URL" in str(refused["error"])


async def test_the_embedded_mode_works_with_nothing_given(start: Start, tmp_path: Path) -> None:
    """It brings its database, its first token and its address, keeps the job's spans, and takes the address back."""
    data = tmp_path / "data"
    async with start(DATABASE_URL="") as api:
        url = await serving(api)
        await wait_until((data / "api.json").exists, "the address is there")
        address = msgspec.json.decode((data / "api.json").read_bytes(), type=Address)
        assert address == Address(url=url, pid=api.process.pid)
        headers = {"Authorization": f"Bearer {(data / 'token').read_text().strip()}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            job = (await client.post("/jobs", json=job_body("acme/web"))).json()

            async def spans() -> bool:
                trace = (await client.get(f"/jobs/{job['id']}/trace")).json()
                return [span["name"] for span in trace["spans"]] == ["POST /jobs"]

            await wait_until(spans, "the job's spans are stored, below one root")
        api.process.send_signal(signal.SIGINT)
        assert await api.process.wait() == 0
    assert not (data / "api.json").exists()
    assert (data / "token").exists()
