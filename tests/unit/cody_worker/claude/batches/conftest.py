"""The real SDK, over a real socket, and a real database; one process stands for several workers."""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from msgspec import Struct
from msgspec.structs import replace

from cody_backends.open_backends import Backends, open_backends
from cody_backends.postgres.connection import OwnConnection
from cody_backends.postgres.embedded.server import EmbeddedServer
from cody_backends.settings import BackendSettings
from cody_jobs.events import EventBody
from cody_jobs.identity import new_job_id
from cody_jobs.models import JobType
from cody_stand_ins.claude import ClaudeStandIn
from cody_worker.claude import ClaudeRequest
from cody_worker.claude.batches.batched_claude import BatchedClaude, open_batched_claude
from cody_worker.claude.batches.pace import Pace
from cody_worker.claude.edit_protocol import ShownFile, opening
from cody_worker.claude.patience import Backoff
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.edit.conversation import request
from cody_worker.edit.question import FileQuestion, view_of

QUICK = Pace(
    quiet=0.05, first_look=0.02, rarest_look=0.05, search=0.3, patience=20, lease=timedelta(seconds=0.6), leave=0.1
)
_BACKOFF = Backoff(first=0.005, most=0.02, named_most=0.05)


class Worker(Struct, frozen=True, kw_only=True):
    claude: BatchedClaude
    told: dict[str, EventBody]


OpenWorker = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture(scope="package")
async def backends(
    postgres_server: EmbeddedServer, administrator: OwnConnection, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Backends]:
    """One database for all tests of this folder: each has a job of its own."""
    await administrator.execute("CREATE DATABASE batches TEMPLATE cody_template")
    url = f"postgresql:///batches?host={postgres_server.socket_folder}&user=cody"
    settings = BackendSettings(database_url=url, cody_data=str(tmp_path_factory.mktemp("batches")))
    async with open_backends(settings) as opened:
        yield opened


@pytest.fixture
def job_id() -> str:
    return new_job_id()


@pytest.fixture
def worker(settings: ClaudeSettings, backends: Backends, stand_in: ClaudeStandIn, job_id: str) -> OpenWorker:
    """Open one, by its name; `changes` are to its pace."""
    assert stand_in.url == settings.claude_base_url

    @asynccontextmanager
    async def open_worker(
        name: str = "worker-1", *, key: str | None = None, **changes: object
    ) -> AsyncGenerator[Worker]:
        told: dict[str, EventBody] = {}

        async def tell(event_key: str, body: EventBody) -> None:
            told.setdefault(event_key, body)

        async with open_batched_claude(
            settings if key is None else replace(settings, claude_api_key=key),
            backends.batches,
            tell,
            job_id=job_id,
            owner=name,
            pace=replace(QUICK, **changes),
            backoff=_BACKOFF,
            chance=random.Random(1),
        ) as claude:
            yield Worker(claude=claude, told=told)

    return open_worker


def question_about(path: str) -> ClaudeRequest:
    """As the conversation about a file begins."""
    text = "from typing import Optional\n\nname: Optional[str] = None\n"
    question = FileQuestion(
        path=path,
        data=text.encode(),
        prompt="Rewrite Optional[X] to X | None",
        job_type=JobType.CODE_PATTERN_UPDATE,
        model="claude-sonnet-5-5",
    )
    return request(question, opening(question.task, [ShownFile(path=path, view=view_of(question, text))]), 2_000)
