"""The real SDK, over a real socket, against the stand-in."""

import random
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from cody_jobs.models import JobType
from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in
from cody_worker.claude import Claude, ClaudeRequest
from cody_worker.claude.client import open_claude
from cody_worker.claude.patience import Backoff
from cody_worker.claude.settings import ClaudeSettings
from cody_worker.edit_file import FileQuestion
from tests.support.claude_requests import file_request

MINUTE = 1.0
"""Seconds that a minute of the limits takes."""
_QUICK = Backoff(first=0.005, most=0.02, named_most=0.05)
_TASK = "Rewrite Optional[X] to X | None"


class OpenClaude(Protocol):
    def __call__(self, **changes: object) -> AbstractAsyncContextManager[Claude]: ...


@pytest.fixture(scope="session")
async def running_stand_in() -> AsyncGenerator[ClaudeStandIn]:
    async with claude_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
async def stand_in(running_stand_in: ClaudeStandIn) -> ClaudeStandIn:
    await running_stand_in.reset()
    return running_stand_in


@pytest.fixture
def settings(stand_in: ClaudeStandIn) -> ClaudeSettings:
    return ClaudeSettings(
        claude_api_key=stand_in.key,
        claude_base_url=stand_in.url,
        claude_patience=30,
        claude_silence=10,
        claude_max_output_tokens=2_000,
    )


@pytest.fixture
def claude_with(settings: ClaudeSettings) -> OpenClaude:
    """Open a client with some settings changed; its waits are short."""

    def open_with(**changes: object) -> AbstractAsyncContextManager[Claude]:
        return open_claude(replace(settings, **changes), backoff=_QUICK, chance=random.Random(1), minute=MINUTE)

    return open_with


@pytest.fixture
async def claude(claude_with: OpenClaude) -> AsyncGenerator[Claude]:
    async with claude_with() as claude:
        yield claude


@pytest.fixture
def question() -> FileQuestion:
    return FileQuestion(
        path="src/models.py",
        data=b"from typing import Optional\r\n\r\nname: Optional[str] = None\r\nage: Optional[int] = None\r\n",
        prompt=_TASK,
        job_type=JobType.CODE_PATTERN_UPDATE,
        model="claude-sonnet-5-5",
    )


@pytest.fixture
def request_about_a_file() -> ClaudeRequest:
    return file_request("a.py", 100)


def json_of(raw: Raw) -> object:
    return msgspec.json.decode(raw)
