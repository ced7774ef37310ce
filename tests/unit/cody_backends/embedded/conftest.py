import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import msgspec
import pytest

from cody_backends.postgres.embedded.layout import Isolation, Layout
from tests.support.wait import wait_until
from tests.unit.cody_backends.embedded.alone import making
from tests.unit.cody_backends.embedded.machine import end_what_is_left, supervisors


@pytest.fixture
async def fresh_layout() -> AsyncGenerator[Layout]:
    """A data folder that is not there yet. In the end nothing may run for it."""
    home = _home()
    layout = Layout(
        data=str(home / "data"), shelter=str(home / "shelter"), unused_seconds=0.2, options={"fsync": "off"}
    )
    try:
        yield layout
        await wait_until(lambda: not supervisors(layout), "the test has left no supervisor behind", 30)
    finally:
        end_what_is_left(layout)
        shutil.rmtree(home)


@pytest.fixture
def layout(fresh_layout: Layout, made_before: Path) -> Layout:
    """A data folder in which a server ran before: quicker than a fresh one."""
    fresh_layout.folder.mkdir(mode=0o700)
    shutil.copytree(made_before, fresh_layout.database)
    return fresh_layout


@pytest.fixture(scope="session")
def made_before() -> Generator[Path]:
    home = _home()
    layout = Layout(data=str(home))
    subprocess.run(making(layout), check=True)
    yield layout.database
    shutil.rmtree(home)


@pytest.fixture
def unprivileged(fresh_layout: Layout, only_root: None) -> Layout:
    """Root, where user namespaces are refused."""
    return msgspec.structs.replace(fresh_layout, isolation=Isolation.UNPRIVILEGED_USER)


@pytest.fixture
def only_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")


def _home() -> Path:
    """Short enough for a socket, and open to the unprivileged user, which pytest's own temp folder is not."""
    home = Path(tempfile.mkdtemp(prefix="cody-", dir="/tmp"))
    home.chmod(0o755)
    return home
