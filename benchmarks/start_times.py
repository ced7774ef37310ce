"""How long people and programs wait until something answers. Everything is installed already.

./dev bench start_times [--runs 10]
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.tables import print_head, print_machine, print_row
from cody_backends.open_backends import open_backends
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.locks import is_held
from cody_backends.settings import BackendSettings
from demo.clean_end import temporary_data
from tests.story.system import System
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[1]
COMMAND = str(Path(sys.executable).with_name("cody-batch"))
FEW = 3
"""Of what takes seconds."""
Start = Callable[[Path], Awaitable[float]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10, help="of what takes less than a second")
    options = parser.parse_args()
    print_machine()
    print_head("what", "runs", "median s", "longest s", "goal s")
    asyncio.run(measure(options.runs))


async def measure(runs: int) -> None:
    show("`cody-batch --help`", [run(COMMAND, "--help") for _ in range(runs)], goal="0.3")
    show(
        "`./dev list --help`, which looks what is installed",
        [run("./dev", "list", "--help") for _ in range(runs)],
        goal="2",
    )
    await measure_database(runs)
    await measure_api()
    show("`./dev demo`, 3 repositories", [run("./dev", "demo") for _ in range(FEW)])


async def measure_database(runs: int) -> None:
    async with folders() as new:
        show("embedded PostgreSQL, first start: files, server, schema", [await cold(database, each) for each in new])
        show("embedded PostgreSQL, later start", [await cold(database, each) for each in new])
        show("embedded PostgreSQL, running already", await warm(database, new[0], runs))


async def measure_api() -> None:
    async with folders() as new:
        show("api ready, first start with embedded PostgreSQL", [await cold(api, each) for each in new])
        show("api ready, later start with embedded PostgreSQL", [await cold(api, each) for each in new])
        show("api ready, PostgreSQL running already", await warm(api, new[0], FEW))


@asynccontextmanager
async def folders() -> AsyncGenerator[list[Path]]:
    """Each first start has a folder of its own; later starts have the same ones again."""
    async with AsyncExitStack() as opened:
        yield [await opened.enter_async_context(temporary_data()) for _ in range(FEW)]


def show(what: str, seconds: Sequence[float], *, goal: str = "") -> None:
    print_row(what, len(seconds), f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", goal)


def run(*command: str) -> float:
    """With an environment as of somebody who has set nothing; the demo then takes its stand-in."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    begun = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=kept, check=True, capture_output=True, timeout=120)
    return time.perf_counter() - begun


async def database(folder: Path) -> float:
    """Until the first answer, the schema being up to date."""
    begun = time.perf_counter()
    async with open_backends(BackendSettings(cody_data=str(folder / "data"))) as backends:
        await backends.jobs.ping()
        return time.perf_counter() - begun


async def api(folder: Path) -> float:
    """From the start of the process until /health/ready says yes."""
    system = System(folder, {})
    try:
        begun = time.perf_counter()
        await system.start("cody_api")
        return time.perf_counter() - begun
    finally:
        await system.stop()


async def cold(start: Start, folder: Path) -> float:
    """A start of the server, too. It is waited for its end, so that the next start is not a warm one."""
    seconds = await start(folder)
    lock = Layout(data=str(folder / "data")).supervisor_lock
    await wait_until(lambda: not is_held(lock), f"the server of {folder} has ended", timeout=30)
    return seconds


async def warm(start: Start, folder: Path, runs: int) -> list[float]:
    """Starts while somebody else uses the same server."""
    async with open_backends(BackendSettings(cody_data=str(folder / "data"))) as backends:
        await backends.jobs.ping()
        return [await start(folder) for _ in range(runs)]


if __name__ == "__main__":
    main()
