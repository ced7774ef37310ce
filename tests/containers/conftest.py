"""These tests need the stack that tests/containers/run starts; without it they are skipped."""

import os
from pathlib import Path

import pytest

from tests.containers.stack import Stack

_HERE = Path(__file__).parent
_FOLDER = "STACK_IN_CONTAINERS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(_FOLDER):
        return
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.skip(reason="needs containers: ./dev test-containers runs it"))


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack.read(Path(os.environ[_FOLDER]))
