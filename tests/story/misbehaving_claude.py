"""A Claude that answers each file badly, as often as chance wants, and what the worker's engine makes of that."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cody_backends.open_backends import open_backends
from cody_backends.settings import BackendSettings
from cody_hosts.open_code_host import HostSettings
from cody_jobs.errors import ResultNotFound
from cody_jobs.models import Job, RunStatus
from cody_jobs.outcomes import FileOutcome
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
from cody_worker.settings import WorkerSettings
from tests.story.spoilt_files import NEW, OLD
from tests.support.repositories import run_git
from tests.unit.cody_worker.conftest import ScriptedClaude, ShardBench, usage

BadFiles = Mapping[str, FaultKind]
"""What is wrong with the answers about a file, by its path."""


class MisbehavingClaude(ScriptedClaude):
    """Answers about a third of the bad files badly for ever, and about the others once or twice."""

    def __init__(self, bad: BadFiles, seed: int) -> None:
        super().__init__()
        self.bad_replies = 0
        self._bad = bad
        self._seed = seed
        self._times: Counter[str] = Counter()

    def is_hopeless(self, path: str) -> bool:
        return self._patience(path) is None

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        messages: list[dict[str, Any]] = [
            {"role": message.role, "content": msgspec.json.decode(message.content)}
            for message in request.messages
            if message.role != "system"
        ]
        asked = read_question(MessagesRequest(model=request.model, max_tokens=1, messages=messages))
        path, number = asked.path or "", self._times.total()
        self._times[path] += 1
        patience, kind = self._patience(path), self._bad.get(path)
        if kind is None or (patience is not None and self._times[path] > patience):
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
        content=Raw(msgspec.json.encode(content)), blocks=tuple(blocks), stop=StopReason(reply.stop), calls=(usage(),)
    )


def _block(block: dict[str, Any]) -> Block:
    if block["type"] == "text":
        return TextBlock(text=block["text"])
    given = block["input"]
    raw = given.encode() if isinstance(given, str) else msgspec.json.encode(given)
    return ToolUse(id=block["id"], name=block["name"], input=Raw(raw))


class Judged(Struct, frozen=True, kw_only=True):
    """What became of a repository: its files before, and after its patch; the outcome of each; and the paths
    in which the completion query still finds something."""

    status: RunStatus
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    outcomes: Mapping[str, FileOutcome]
    remaining: frozenset[str]


async def judge(bench: ShardBench, repositories: Mapping[str, Mapping[str, bytes]]) -> list[Judged]:
    """One job over all repositories, in their order."""
    for name, files in repositories.items():
        bench.repository(name, files)
    job, shard = await bench.dispatched(*repositories, plan=_PLAN)
    await bench.work(job, shard).run()
    return [await _judged(bench, job, name, files) for name, files in repositories.items()]


async def _judged(bench: ShardBench, job: Job, name: str, files: Mapping[str, bytes]) -> Judged:
    run = await bench.backends.jobs.get_run(job.id, name)
    report = await bench.backends.results.get_report(job.id, name)
    page = await bench.backends.results.list_files(job.id, name, limit=1_000, cursor=None)
    return Judged(
        status=run.status,
        before=files,
        after=await _patched(bench, job, name),
        outcomes={file.path: file.outcome for file in page.items},
        remaining=frozenset(line.path for line in report.remaining.lines) if report.remaining else frozenset(),
    )


async def _patched(bench: ShardBench, job: Job, name: str) -> Mapping[str, bytes]:
    folder = bench.root / name
    try:
        patch = await bench.backends.results.get_patch(job.id, name)
    except ResultNotFound:
        pass
    else:
        run_git(folder, "apply", "--index", stdin=patch.patch)
    paths = run_git(folder, "ls-files", "-z").decode().rstrip("\0").split("\0")
    return {path: (folder / path).read_bytes() for path in paths}


@asynccontextmanager
async def open_bench(claude: MisbehavingClaude, database_url: str, folder: Path) -> AsyncGenerator[ShardBench]:
    """The worker's engine in this process, with a database and repositories of its own."""
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
            yield ShardBench(
                backends=backends, claude=claude, root=root, git=git, settings=settings, stop=asyncio.Event()
            )
    finally:
        await git.aclose()


_NO_INPUT: Mapping[str, Any] = {"input": {}}
_PLAN = Plan(
    matches=(OLD,),
    change=f"Every {OLD} becomes {NEW}.",
    example=Example(before=f"x = {OLD}\n", after=f"x = {NEW}\n"),
    remaining=(OLD,),
)
"""With a plan of its own, so that nothing but files is asked about."""
