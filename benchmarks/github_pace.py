"""How much of the rate that GitHub allows for changes is used, without ever going beyond it.

    ./dev bench github_pace [--count 1000] [--scale 10]

Comments on one pull request, by one identity, against the stand-in, whose limit of 80 a minute passes `--scale` times
faster than real minutes.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import print_head, print_machine, print_row
from cody_hosts.github.github import open_github
from cody_hosts.settings import CodeHostKind, GitHubSettings, HostSettings
from cody_jobs.ports.pull_requests import Head, NewPull
from cody_stand_ins.github import GitHubStandIn, github_stand_in

_AT_ONCE = 8


async def measure(count: int, scale: float, folder: Path) -> int:
    async with github_stand_in(folder) as stand_in:
        await _set_stage(stand_in, scale)
        host = HostSettings(code_host=CodeHostKind.GITHUB, github_api_url=stand_in.api)
        # The hour's limit would end the measurement after 500.
        settings = GitHubSettings(github_token=("bot-token",), github_changes_per_hour=100_000)
        async with open_github(host, settings, minute=60 / scale) as github:
            pull = await github.pulls.open(
                NewPull(
                    repository="acme/shop",
                    head=Head(owner="acme", branch="cody/change"),
                    base="main",
                    title="A change",
                    body="",
                )
            )
            numbers = iter(range(count - 1))

            async def worker() -> None:
                for number in numbers:
                    await github.discussion.add_comment(pull.name, f"comment {number}")

            async with asyncio.TaskGroup() as group:
                for place in range(_AT_ONCE):
                    group.create_task(worker(), name=f"worker-{place}")
        return await _tell(stand_in, scale)


async def _set_stage(stand_in: GitHubStandIn, scale: float) -> None:
    await stand_in.add_user("acme", kind="Organization")
    await stand_in.add_token("bot-token", "bot")
    await stand_in.add_repository("acme/shop", files={"a.py": "a = 1\n"}, levels={"bot": "write"})
    await stand_in.commit("acme/shop", "cody/change", {"a.py": "a = 2\n"}, login="bot")
    await stand_in.set_limits(content_per_hour=100_000, requests_per_hour=1_000_000, time_scale=scale)


async def _tell(stand_in: GitHubStandIn, scale: float) -> int:
    stats = await stand_in.stats()
    minutes = (stats.content_times[-1] - stats.content_times[0]) * scale / 60
    rate = (stats.content - 1) / minutes
    print_head("changes", "minutes", "a minute", "of the limit", "refused", "locked out")
    locked_out = ", ".join(stats.locked_out) or "nobody"
    print_row(f"{stats.content:,}", f"{minutes:.1f}", f"{rate:.1f}", f"{rate / 80:.1%}", stats.limited, locked_out)
    return 0 if rate >= 0.95 * 80 and not stats.limited else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.github_pace", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--scale", type=float, default=10.0, help="so many times as fast as real minutes")
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="cody-github-") as folder:
        return asyncio.run(measure(options.count, options.scale, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
