"""A shard of a real job in a real database, with real repositories, and a Claude that does as the test says."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw, Struct

from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_hosts.open_code_host import HostSettings, open_code_host
from cody_jobs.identity import new_job_id
from cody_jobs.models import Job, JobSpec, JobType, NewJob, Shard
from cody_jobs.outcomes import CallUsage
from cody_jobs.plan import Plan
from cody_runtime.fork_server import ForkServer
from cody_runtime.program import RuntimeSettings
from cody_worker.claude import ClaudeReply, ClaudeRequest, StopReason, ToolUse
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.git.repository_process import GitLauncher
from cody_worker.job_commands import CommandPlace
from cody_worker.job_tools import Tools
from cody_worker.run_shard import ShardWork
from cody_worker.settings import WorkerSettings
from tests.support.repositories import run_git

Script = Callable[[ClaudeRequest], Awaitable[ToolUse]]


class ScriptedClaude:
    """Answers every request as its script says, and counts them. Every call costs 7 millionths of a dollar."""

    def __init__(self) -> None:
        self.script: Script = replace_old
        self.asked: list[ClaudeRequest] = []

    @property
    def max_output_tokens(self) -> int:
        return 1_000

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        self.asked.append(request)
        if request.on_begin is not None:
            request.on_begin()
        call = await self.script(request)
        content = [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]
        return ClaudeReply(
            content=Raw(msgspec.json.encode(content)), blocks=(call,), stop=StopReason.TOOL_USE, calls=(usage(),)
        )


async def replace_old(request: ClaudeRequest) -> ToolUse:
    """Replace OLD by NEW where there is an OLD."""
    if b"OLD" in bytes(request.messages[-1].content):
        return edit("OLD", "NEW")
    return leave("nothing is OLD here")


def edit(old: str, new: str) -> ToolUse:
    return _call("edit_file", {"edits": [{"old_text": old, "new_text": new}]})


def leave(reason: str) -> ToolUse:
    return _call("leave_unchanged", {"reason": reason})


def make_plan(**parts: object) -> ToolUse:
    """A plan of Claude's: whatever is not given is empty."""
    empty: dict[str, object] = dict.fromkeys(
        ("include", "exclude", "languages", "matches", "leave_alone", "remaining"), ()
    )
    rest: dict[str, object] = {"extent": "file", "change": "As the task says.", "example": {"before": "", "after": ""}}
    return _call("make_plan", {**empty, **rest, **parts})


def refuse(reason: str) -> ToolUse:
    return _call("refuse", {"reason": reason})


def usage() -> CallUsage:
    return CallUsage(
        request_id="req",
        model="claude-sonnet-5-5",
        input_tokens=10,
        output_tokens=5,
        cache_creation_input_tokens=0,
        cache_read_input_tokens=0,
        cost_microusd=7,
        latency_ms=1,
        at=datetime.now(UTC),
    )


def _call(name: str, content: Mapping[str, object]) -> ToolUse:
    return ToolUse(id="toolu_1", name=name, input=Raw(msgspec.json.encode(content)))


class ShardBench(Struct, frozen=True, kw_only=True):
    """What a test of a shard works with."""

    backends: Backends
    claude: ScriptedClaude
    root: Path
    git: GitLauncher
    settings: WorkerSettings
    stop: asyncio.Event

    def repository(self, name: str, files: Mapping[str, bytes]) -> Path:
        """A repository with one commit."""
        folder = self.root / name
        folder.mkdir(parents=True)
        run_git(folder, "init", "--quiet", "--initial-branch=main")
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        run_git(folder, "add", "--all")
        run_git(folder, "commit", "--quiet", "--message=base")
        return folder

    async def dispatched(
        self,
        *repositories: str,
        per_shard: int = 100,
        pull_requests: bool = False,
        include: tuple[str, ...] = ("*",),
        plan: Plan | None = None,
        **more: object,
    ) -> tuple[Job, Shard]:
        """A job over these repositories, whose first attempt has been cut into shards; its shard 0. It brings patterns,
        so that nobody is asked for a plan; without patterns and plan, Claude is. `more`: other fields of it."""
        spec = JobSpec(
            name="Renew",
            type=JobType.CODE_PATTERN_UPDATE,
            prompt="Renew",
            create_pull_requests=pull_requests,
            include=include,
            plan=plan,
        )
        spec = msgspec.structs.replace(spec, **more)
        new = NewJob(id=new_job_id(), spec=spec, fingerprint="f", submitted_by="test", traceparent=None)
        job = await self.backends.jobs.create_job(new, repositories)
        return job, await self.next_shard(job, per_shard=per_shard)

    async def next_shard(self, job: Job, *, per_shard: int = 100) -> Shard:
        attempt = await self.backends.jobs.begin_attempt(job.id, repositories_per_shard=per_shard)
        assert attempt is not None
        await self.backends.jobs.record_compute(job.id, attempt.number, f"compute-{attempt.number}")
        return await self.backends.jobs.get_shard(job.id, attempt.number, 0)

    def work(self, job: Job, shard: Shard, *, owner: str = "worker-1") -> ShardWork:
        return ShardWork(self.tools(owner), job, shard, self.stop)

    def tools(self, owner: str) -> Tools:
        return Tools(
            settings=self.settings,
            backends=self.backends,
            host=open_code_host(self.settings.host),
            git=self.git,
            claude=self.claude,
            command_place=CommandPlace(path=os.environ["PATH"], hidden=(str(self.root),)),
            owner=owner,
        )


@pytest.fixture(scope="session")
async def git_launcher() -> AsyncGenerator[GitLauncher]:
    launcher = GitLauncher(await ForkServer.launch("cody_worker.git.child:entry", environment={}))
    yield launcher
    await launcher.aclose()


@pytest.fixture
async def bench(
    backend_settings: BackendSettings, git_launcher: GitLauncher, tmp_path: Path
) -> AsyncGenerator[ShardBench]:
    root = tmp_path / "repositories"
    settings = WorkerSettings(
        runtime=RuntimeSettings(),
        backend=backend_settings,
        host=HostSettings(repositories_root=str(root)),
        claude=ClaudeSettings(),
        lease_seconds=3,
        files_at_once=4,
        scratch=str(tmp_path),
    )
    async with open_backends(backend_settings) as backends:
        yield ShardBench(
            backends=backends,
            claude=ScriptedClaude(),
            root=root,
            git=git_launcher,
            settings=settings,
            stop=asyncio.Event(),
        )
