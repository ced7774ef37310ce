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
BATCH_ROLE = "arn:aws:iam::123456789012:role/batch"
"""A role that is there: moto's compute environments want one, unlike AWS's."""

_IAM = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/iam/aws4_request"}


@asynccontextmanager
async def run_moto(folder: Path) -> AsyncGenerator[AwsServer]:
    """`folder` is for its log. A job that is submitted to its Batch has succeeded at once: nothing is run."""
    async with run_server(_command, folder) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await _do_without_containers(http)
            await _create_role(http)
        yield AwsServer(url)


def _command(port: int) -> Sequence[str]:
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


async def _do_without_containers(http: httpx.AsyncClient) -> None:
    (await http.post("/moto-api/config", json={"batch": {"use_docker": False}})).raise_for_status()


async def _create_role(http: httpx.AsyncClient) -> None:
    """moto reads of the signature only which service is meant."""
    name = BATCH_ROLE.rpartition("/")[2]
    form = {"Action": "CreateRole", "Version": "2010-05-08", "RoleName": name, "AssumeRolePolicyDocument": "{}"}
    (await http.post("/", data=form, headers=_IAM)).raise_for_status()
