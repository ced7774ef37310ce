"""A whole job over many small repositories, posted over HTTP, with a stand-in that answers at once: what everything
around Claude costs per repository. Then the same job again, which asks nothing.

    ./dev bench many_repositories [--repositories 100 1000]
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from benchmarks.tables import print_machine, print_table
from cody_stand_ins.claude import claude_stand_in
from tests.story.system import System, running_system
from tests.support.repositories import make_repository

PROMPT = "Rewrite Optional[X] to X | None."


class Measured(Struct, frozen=True, kw_only=True):
    repositories: int
    run: str
    seconds: float
    calls: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    print_machine()
    measured = [one for number in options.repositories for one in asyncio.run(measure(number))]
    print_table(
        ("repositories", "run", "seconds", "ms a repository", "calls to Claude"),
        [
            (
                f"{one.repositories:,}",
                one.run,
                f"{one.seconds:.1f}",
                f"{1000 * one.seconds / one.repositories:.0f}",
                one.calls,
            )
            for one in measured
        ],
    )


async def measure(number: int) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="cody-bench-") as name:
        folder = Path(name)
        names = [make_small_repository(folder / "repositories", index) for index in range(number)]
        async with claude_stand_in() as stand_in:
            environment = {
                "REPOSITORIES_ROOT": str(folder / "repositories"),
                "CLAUDE_API_KEY": stand_in.key,
                "CLAUDE_BASE_URL": stand_in.url,
            }
            async with running_system(folder, environment) as system:
                measured: list[Measured] = []
                for run in ("first", "again"):
                    seconds = await seconds_of_a_job(system, names)
                    calls = (await stand_in.stats()).messages
                    measured.append(Measured(repositories=number, run=run, seconds=seconds, calls=calls))
                    await stand_in.reset()
                return measured


def make_small_repository(root: Path, index: int) -> str:
    """Two files, one of them to be changed, in a way that no other repository shares."""
    files = {"code.py": f"number_{index}: Optional[int] = {index}\n".encode(), "notes.txt": b"nothing to do here\n"}
    make_repository(root / "bench" / f"r{index}", files)
    return f"bench/r{index}"


async def seconds_of_a_job(system: System, names: list[str]) -> float:
    """From the request to the end."""
    began = time.monotonic()
    job = await system.ended(await system.submit(names, PROMPT, include=["*.py"]), timeout=600)
    assert job["status"] == "SUCCEEDED", job
    return time.monotonic() - began


if __name__ == "__main__":
    main()
