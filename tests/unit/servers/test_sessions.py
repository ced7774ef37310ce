"""What a session of tests does with its servers."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import psutil
import pytest

from tests.servers.process import ServerFailed, run_server
from tests.support.wait import wait_until

_STARTS_AND_IS_KILLED = """
import asyncio, os, pathlib, signal
from tests.servers.process import start_process

async def main():
    process = await start_process(["sleep", "60"], pathlib.Path(os.environ["FOLDER"]))
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems than Linux cannot do this")
async def test_a_server_dies_with_a_session_that_is_killed(tmp_path: Path) -> None:
    session = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STARTS_AND_IS_KILLED, env={**os.environ, "FOLDER": str(tmp_path)}, stdout=PIPE
    )
    output, _ = await session.communicate()
    await wait_until(lambda: not _runs(int(output)), "the server is gone")


async def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="out of luck"):
        async with run_server(lambda _: ["sh", "-c", "echo out of luck"], tmp_path):
            pass


@pytest.mark.parametrize("split", [(), ("-n", "1")], ids=["whole", "split"])
async def test_a_session_without_java_skips_the_tests_and_says_why(tmp_path: Path, split: tuple[str, ...]) -> None:
    session = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pytest", "-rs", *split, "tests/unit/servers/test_servers.py", "-k", "limits"),
        env={**os.environ, "PATH": str(tmp_path)},
        stdout=PIPE,
        stderr=DEVNULL,
    )
    output, _ = await session.communicate()
    assert session.returncode == 0, output.decode()
    servers, end = output.decode().splitlines()[-2:]
    assert "moto" in servers
    assert servers.endswith("ElasticMQ 1.7.1 did not run: there is no Java")
    assert "1 skipped" in end


def _runs(pid: int) -> bool:
    """A dead process that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
