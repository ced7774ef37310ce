"""A stand-in that a test can talk to with plain HTTP."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in


@pytest.fixture(scope="session")
async def running_stand_in() -> AsyncGenerator[ClaudeStandIn]:
    async with claude_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
async def stand_in(running_stand_in: ClaudeStandIn) -> ClaudeStandIn:
    await running_stand_in.reset()
    return running_stand_in


@pytest.fixture
async def http(stand_in: ClaudeStandIn) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"x-api-key": stand_in.key}
    async with httpx.AsyncClient(base_url=stand_in.url, headers=headers, trust_env=False) as client:
        yield client
