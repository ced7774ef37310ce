"""How much of the rate that GitHub allows for changes is used, without ever going beyond it.

`python -m benchmarks.github_pace`: a thousand comments against the stand-in, with a limit of 80 a minute that passes
faster than real minutes.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

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
    print(f"{stats.content:,} changes in {minutes:.1f} minutes: {rate:.1f} a minute, {rate / 80:.1%} of the limit")
    print(f"refused: {stats.limited}, locked out: {', '.join(stats.locked_out) or 'nobody'}")
    return 0 if rate >= 0.95 * 80 and not stats.limited else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.github_pace", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--scale", type=float, default=10.0, help="so many times as fast as real minutes")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cody-github-") as folder:
        code = asyncio.run(measure(options.count, options.scale, Path(folder)))
    print(f"{time.monotonic() - started:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
