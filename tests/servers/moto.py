"""moto's server: every AWS service that we use, in memory."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import httpx

from tests.servers.aws_server import AwsServer
from tests.servers.process import run_server

VERSION = version("moto")


@asynccontextmanager
async def run_moto(folder: Path) -> AsyncGenerator[AwsServer]:
    """`folder` is for its log. A job that is submitted to its Batch has succeeded at once: nothing is run."""
    async with run_server(_command, folder) as url:
        await _do_without_containers(url)
        yield AwsServer(url)


def _command(port: int) -> Sequence[str]:
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


async def _do_without_containers(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        (await http.post(f"{url}/moto-api/config", json={"batch": {"use_docker": False}})).raise_for_status()
