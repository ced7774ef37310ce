"""A Claude that answers each file badly, as often as chance wants, and what the worker's engine makes of that."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_hosts.open_code_host import HostSettings, open_code_host
from cody_jobs.errors import ResultNotFound
from cody_jobs.identity import new_job_id
from cody_jobs.models import Job, JobSpec, JobType, NewJob, RunStatus
from cody_jobs.outcomes import CallUsage, FileOutcome
from cody_jobs.plan import Example, Plan
from cody_runtime.fork_server import ForkServer
from cody_runtime.program import RuntimeSettings
from cody_stand_ins.claude import FaultKind
from cody_stand_ins.claude.conversation import MessagesRequest, read_question
from cody_stand_ins.claude.misbehave import bad_reply
from cody_stand_ins.claude.replies import Reply, good_reply
from cody_worker.claude import Block, ClaudeReply, ClaudeRequest, StopReason, TextBlock, ToolUse
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.git.repository_process import GitLauncher
from cody_worker.run_shard import ShardWork, Tools
from cody_worker.settings import WorkerSettings
from tests.story.spoilt_files import NEW, OLD
from tests.support.repositories import make_repository, run_git

BadFiles = Mapping[str, FaultKind]
"""What is wrong with the answers about a file, by its path."""


class MisbehavingClaude:
    """Answers about a third of the bad files badly for ever, and about the others once or twice."""

    def __init__(self, bad: BadFiles, seed: int) -> None:
        self.bad_replies = 0
        self._bad = bad
        self._seed = seed
        self._asked: Counter[str] = Counter()

    @property
    def max_output_tokens(self) -> int:
        return 4_000

    def is_hopeless(self, path: str) -> bool:
        return self._patience(path) is None

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        messages: list[dict[str, Any]] = [
            {"role": message.role, "content": msgspec.json.decode(message.content)}
            for message in request.messages
            if message.role != "system"
        ]
        asked = read_question(MessagesRequest(model=request.model, max_tokens=1, messages=messages))
        path, number = asked.path or "", self._asked.total()
        self._asked[path] += 1
        patience, kind = self._patience(path), self._bad.get(path)
        if kind is None or (patience is not None and self._asked[path] > patience):
            return _as_read(good_reply(asked, number, _find))
        self.bad_replies += 1
        return _as_read(bad_reply(kind, asked, number, find=_find, seed=self._seed))

    def _patience(self, path: str) -> int | None:
        return random.Random(f"{self._seed} {path}").choice((1, 2, None))


def _find(task: str, path: str) -> Callable[[str], str]:
    return lambda text: text.replace(OLD, NEW)


def _as_read(reply: Reply) -> ClaudeReply:
    """As the client reads it from a stream."""
    blocks = [_block(block) for block in reply.blocks]
    content = [{**block, **_NO_INPUT} if isinstance(block.get("input"), str) else block for block in reply.blocks]
    return ClaudeReply(
        content=Raw(msgspec.json.encode(content)), blocks=tuple(blocks), stop=StopReason(reply.stop), calls=(_USAGE,)
    )


def _block(block: dict[str, Any]) -> Block:
    if block["type"] == "text":
        return TextBlock(text=block["text"])
    given = block["input"]
    raw = given.encode() if isinstance(given, str) else msgspec.json.encode(given)
    return ToolUse(id=block["id"], name=block["name"], input=Raw(raw))


class Judged(Struct, frozen=True, kw_only=True):
    """What became of a repository: its files before, and after its patch; and the outcome of each."""

    status: RunStatus
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    outcomes: Mapping[str, FileOutcome]


class Bench(Struct, frozen=True, kw_only=True):
    backends: Backends
    settings: WorkerSettings
    git: GitLauncher
    root: Path

    async def judge(self, claude: MisbehavingClaude, repositories: Mapping[str, Mapping[str, bytes]]) -> list[Judged]:
        """One job over all repositories, in their order."""
        for name, files in repositories.items():
            make_repository(self.root / name, files, bare=False)
        job = await self._run(claude, list(repositories))
        return [await self._judged(job, name, files) for name, files in repositories.items()]

    async def _run(self, claude: MisbehavingClaude, names: list[str]) -> Job:
        jobs = self.backends.jobs
        new = NewJob(id=new_job_id(), spec=_SPEC, fingerprint="f", submitted_by="test", traceparent=None)
        job = await jobs.create_job(new, names)
        attempt = await jobs.begin_attempt(job.id, repositories_per_shard=len(names))
        assert attempt is not None
        await jobs.record_compute(job.id, attempt.number, "here")
        tools = Tools(
            settings=self.settings,
            backends=self.backends,
            host=open_code_host(self.settings.host),
            git=self.git,
            claude=claude,
            owner="worker-1",
        )
        await ShardWork(tools, job, await jobs.get_shard(job.id, attempt.number, 0), asyncio.Event()).run()
        return job

    async def _judged(self, job: Job, name: str, files: Mapping[str, bytes]) -> Judged:
        run = await self.backends.jobs.get_run(job.id, name)
        page = await self.backends.results.list_files(job.id, name, limit=1_000, cursor=None)
        return Judged(
            status=run.status,
            before=files,
            after=await self._patched(job, name),
            outcomes={file.path: file.outcome for file in page.items},
        )

    async def _patched(self, job: Job, name: str) -> Mapping[str, bytes]:
        folder = self.root / name
        try:
            patch = await self.backends.results.get_patch(job.id, name)
        except ResultNotFound:
            pass
        else:
            run_git(folder, "apply", "--index", stdin=patch.patch)
        paths = run_git(folder, "ls-files", "-z").decode().rstrip("\0").split("\0")
        return {path: (folder / path).read_bytes() for path in paths}


@asynccontextmanager
async def open_bench(database_url: str, folder: Path) -> AsyncGenerator[Bench]:
    backend = BackendSettings(database_url=database_url, cody_data=str(folder / "data"))
    root = folder / "repositories"
    settings = WorkerSettings(
        runtime=RuntimeSettings(),
        backend=backend,
        host=HostSettings(repositories_root=str(root)),
        claude=ClaudeSettings(),
        files_at_once=16,
        scratch=str(folder),
    )
    git = GitLauncher(await ForkServer.launch("cody_worker.git.child:entry", environment={}))
    try:
        async with open_backends(backend) as backends:
            yield Bench(backends=backends, settings=settings, git=git, root=root)
    finally:
        await git.aclose()


_NO_INPUT: Mapping[str, Any] = {"input": {}}
_USAGE = CallUsage(
    request_id="req",
    model="claude-sonnet-5-5",
    input_tokens=10,
    output_tokens=5,
    cache_creation_input_tokens=0,
    cache_read_input_tokens=0,
    cost_microusd=7,
    latency_ms=1,
    at=datetime(2026, 1, 1, tzinfo=UTC),
)
_SPEC = JobSpec(
    name="Rename",
    type=JobType.CODE_PATTERN_UPDATE,
    prompt=f"Rename {OLD} to {NEW}",
    plan=Plan(
        matches=(OLD,),
        change=f"Every {OLD} becomes {NEW}.",
        example=Example(before=f"x = {OLD}\n", after=f"x = {NEW}\n"),
        remaining=(OLD,),
    ),
)
"""With a plan of its own, so that nothing but files is asked about."""
