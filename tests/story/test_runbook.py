"""Every command of docs/runbook.md works: its `sh` blocks are run, in their order, against a real system.

The word after `sh` says when: `embedded` and `self-hosted` only in that mode (the first of each sets the variables that
all the others use), `start`, `stop` and `kill` are how the system is started and ended here, `stopped` is run after
that. Everything else runs while the system does. `JOB` is a job that failed because the Claude key was refused.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from cody_backends.open_backends import open_backends
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.locks import is_held
from cody_backends.postgres.embedded.programs import find_programs
from cody_backends.settings import BackendSettings
from cody_cli.stack_plan import free_port
from cody_jobs.messages import JOBS_QUEUE
from cody_stand_ins.claude import ClaudeStandIn
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
MODES = ("embedded", "self-hosted")
_BLOCK = re.compile(r"^```sh *(\S*)\n(.*?)^```$", re.M | re.S)


class Block(msgspec.Struct, frozen=True, kw_only=True):
    when: str
    text: str


class Operator:
    """Somebody at a shell, with the folder and the variables of one system."""

    def __init__(self, folder: Path, mode: str, environment: Mapping[str, str]) -> None:
        self.mode = mode
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.job = "no-job"
        self.blocks = [Block(when=when, text=text) for when, text in _BLOCK.findall(RUNBOOK.read_text())]
        self.environment = {
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "CODY_DATA": str(self.data),
            "PATH": os.pathsep.join(
                (str(Path(sys.executable).parent), str(find_programs().folder / "bin"), os.environ["PATH"])
            ),
            "RECONCILE_SECONDS": "1",
            "PENDING_SECONDS": "1",
            **environment,
        }

    def only(self, when: str) -> str:
        (text,) = (block.text for block in self.blocks if block.when == when)
        return text

    def while_running(self) -> list[str]:
        """In their order, without the one that sets the variables."""
        return [block.text for block in self.blocks if block.when in {"", self.mode}][1:]

    async def run(self, block: str, *, prelude: bool = True) -> str:
        """The output of a block; fails with it when any of its commands does."""
        first = next(each.text for each in self.blocks if each.when == self.mode) if prelude else ""
        process = await self._start("set -euo pipefail\n" + first + block.replace("JOB", self.job))
        said, _ = await process.communicate()
        assert process.returncode == 0, f"{block}\nended with {process.returncode}:\n{said.decode()}"
        return said.decode()

    @asynccontextmanager
    async def up(self, end: str = "stop", **environment: str) -> AsyncGenerator[None]:
        """The system as the runbook starts and ends it; `environment` is the programs' alone."""
        process = await self._start("exec " + self.only("start"), **environment)
        try:
            await wait_until(self._serves, "the api serves", timeout=60)
            yield
            await self.run(self.only(end), prelude=False)
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise
        finally:
            await asyncio.wait_for(process.communicate(), timeout=60)
        await wait_until(self._database_has_ended, "the embedded database has ended", timeout=40)

    async def _serves(self) -> bool:
        if not (self.data / "up.json").exists():
            return False
        url = msgspec.json.decode((self.data / "up.json").read_bytes())["url"]
        asked = await self._start(f"curl -fsS {url}/health/ready")
        await asked.communicate()
        return asked.returncode == 0

    def _database_has_ended(self) -> bool:
        lock = Layout(data=str(self.data)).supervisor_lock
        return self.mode != "embedded" or not is_held(lock)

    async def _start(self, script: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            script,
            env={**self.environment, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


@pytest.fixture(params=MODES)
def operator(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str, repositories: Path, stand_in: ClaudeStandIn
) -> Operator:
    port = str(free_port("127.0.0.1"))
    environment = {
        "API_PORT": port,
        "REPOSITORIES_ROOT": str(repositories),
        "ALLOWED_REPOSITORIES": "acme/*",
        "CLAUDE_BASE_URL": stand_in.url,
    }
    if request.param == "self-hosted":
        environment |= {"DATABASE_URL": database_url, "CODY_API_URL": f"http://127.0.0.1:{port}"}
    return Operator(tmp_path, request.param, environment)


async def test_every_command_of_the_runbook_works(
    operator: Operator, repositories: Path, stand_in: ClaudeStandIn
) -> None:
    make_repository(repositories / "acme" / "web", {"a.py": b"x: Optional[int] = None\n"})
    if operator.mode == "self-hosted":
        made = await operator.run("cody-batch ops token create --name operator --role admin --json", prelude=False)
        operator.environment["CODY_API_TOKEN"] = msgspec.json.decode(made)["token"]
    async with operator.up(CLAUDE_API_KEY="sk-refused"):
        operator.job = await submit_and_fail(operator)
        await send_nonsense(operator)
    async with operator.up(end="kill", CLAUDE_API_KEY=stand_in.key):
        said = [await operator.run(block) for block in operator.while_running()]
    check_what_was_said("".join(said), operator.job)
    async with operator.up(CLAUDE_API_KEY=stand_in.key):
        assert status_of(await operator.run("cody-batch show JOB --json")) == "SUCCEEDED"
    await operator.run(operator.only("stopped"), prelude=False) if operator.mode == "embedded" else None


async def submit_and_fail(operator: Operator) -> str:
    options = "--name Runbook --type code-pattern-update --prompt 'Rewrite Optional[X] to X | None.'"
    submitted = await operator.run(f"cody-batch submit --json --repository acme/web {options}")
    job_id: str = msgspec.json.decode(submitted)["id"]
    await operator.run(f"cody-batch events {job_id}")
    assert status_of(await operator.run(f"cody-batch show {job_id} --json")) == "FAILED"
    return job_id


def status_of(shown: str) -> str:
    return str(re.findall(r'"status": ?"([A-Z_]+)"', shown)[0])


async def send_nonsense(operator: Operator) -> None:
    """A message that the dispatcher buries."""
    settings = BackendSettings(database_url=operator.environment.get("DATABASE_URL"), cody_data=str(operator.data))
    async with open_backends(settings) as backends:
        await backends.queue.send(JOBS_QUEUE, b"nonsense")

        async def is_dead() -> bool:
            return (await backends.queue.depth(JOBS_QUEUE)).dead == 1

        await wait_until(is_dead, "the message is buried")


def check_what_was_said(said: str, job_id: str) -> None:
    """Commands that succeed without having found anything would be no use."""
    assert '"status":"ready"' in said
    assert '"code": "claude_key_refused"' in said, "the log shows the failure"
    assert "nonsense" in said, "the dead letter is listed"
    assert f"{job_id} is PENDING" in said
    assert "UPDATE 1" in said
