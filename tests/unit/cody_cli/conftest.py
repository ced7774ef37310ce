"""`cody-batch` in an empty folder, and an API for it to talk to."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.unit.cody_cli.fake_api import FakeApi, fake_api
from tests.unit.cody_cli.program import CodyBatch


@pytest.fixture
async def api() -> AsyncGenerator[FakeApi]:
    async with fake_api() as opened:
        yield opened


@pytest.fixture
def cody(tmp_path: Path) -> CodyBatch:
    """Knows of no API and no key."""
    return CodyBatch(tmp_path, {})


@pytest.fixture
def client(tmp_path: Path, api: FakeApi) -> CodyBatch:
    """Talks to the fake API."""
    return CodyBatch(tmp_path, {"CODY_API_URL": api.url, "CODY_API_TOKEN": "cody_a-token"})
