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
from cody_cli.ports import free_port
from cody_jobs.messages import JOBS_QUEUE
from cody_stand_ins.claude import ClaudeStandIn
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"
MODES = ("embedded", "self-hosted")
_STRICT = "set -euo pipefail; trap 'echo \"exit code $? of: $BASH_COMMAND\"' ERR\n"
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

    def while_running(self) -> str:
        """All of them in their order, in one shell, without the one that sets the variables."""
        return "\n".join(
            block.text for block in self.blocks if block.when in {"", self.mode} and block != self._prelude
        )

    @property
    def _prelude(self) -> Block:
        return next(block for block in self.blocks if block.when == self.mode)

    async def run(self, commands: str, *, prelude: bool = True) -> str:
        """Their output; fails when any of them does, with all that was said until then and which one it was."""
        first = self._prelude.text if prelude else ""
        process = await self._start(_STRICT + first + commands.replace("JOB", self.job))
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    @asynccontextmanager
    async def up(self, end: str = "stop", **environment: str) -> AsyncGenerator[None]:
        """The system as the runbook starts and ends it; `environment` is the programs' alone."""
        process = await self._start("exec " + self.only("start"), **environment)
        try:
            await wait_until(lambda: self._serves(process), "the api serves", timeout=60)
            yield
            await self.run(self.only(end), prelude=False)
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise
        finally:
            await asyncio.wait_for(process.communicate(), timeout=60)
        await wait_until(self._api_has_ended, "the api has ended", timeout=40)
        await self.database_has_ended(self.data)

    async def _serves(self, process: asyncio.subprocess.Process) -> bool:
        assert process.returncode is None, (self.data / "cody-batch.log").read_text()
        try:
            serving = msgspec.json.decode((self.data / "up.json").read_bytes())
        except FileNotFoundError:
            return False
        return serving["pid"] == process.pid and await self._answers()

    async def _api_has_ended(self) -> bool:
        return not await self._answers()

    async def _answers(self) -> bool:
        asked = await self._start(f"curl -fsS http://127.0.0.1:{self.environment['API_PORT']}/health/ready")
        await asked.communicate()
        return asked.returncode == 0

    async def database_has_ended(self, data: Path) -> None:
        lock = Layout(data=str(data)).supervisor_lock
        if self.mode == "embedded":
            await wait_until(lambda: not is_held(lock), f"the database in {data} has ended", timeout=40)

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


@pytest.fixture
def operator_at_rest(tmp_path: Path) -> Operator:
    """One without a system."""
    return Operator(tmp_path, "embedded", {})


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
        check_what_was_said(await operator.run(operator.while_running()), operator.job)
    async with operator.up(CLAUDE_API_KEY=stand_in.key):
        assert status_of(await operator.run("cody-batch show JOB --json")) == "SUCCEEDED"
    if operator.mode == "embedded":
        assert "admin" in await operator.run(operator.only("stopped"), prelude=False)
        await operator.database_has_ended(operator.data.with_name("data.restored"))


def test_every_log_event_that_the_runbook_names_exists() -> None:
    rows = re.findall(r"^\| (?:all|api|dispatcher|worker) \| ([^|]+) \|", RUNBOOK.read_text(), re.M)
    named = {event for row in rows for event in re.findall(r"`(\w+)`", row)}
    sources = [path.read_text() for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py")]
    assert len(named) > 20
    assert [event for event in sorted(named) if not any(f'"{event}"' in source for source in sources)] == []


async def test_every_command_that_the_runbook_mentions_exists(operator_at_rest: Operator) -> None:
    """Those in the text, which stand for no moment at which they could be run."""
    mentioned = set(re.findall(r"`(cody-batch(?: [a-z-]+)+)", RUNBOOK.read_text()))
    assert len(mentioned) > 3
    await operator_at_rest.run("\n".join(f"{command} --help" for command in sorted(mentioned)), prelude=False)


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
