"""Run as `python -m tests.support.clone_to_small_disk URL SCRATCH`: clone, and print how that failed and what it left
below SCRATCH, as JSON. A program of its own, because only a process of its own can have a file system of its own."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from cody_jobs.errors import JobFailed
from cody_jobs.ports.code_host import CloneSource
from cody_worker.git.limits import GitLimits
from cody_worker.git.repository_process import GitLauncher


class Report(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str
    retryable: bool
    left: list[str]


async def main(launcher: GitLauncher, url: str, scratch: Path) -> Report:
    try:
        async with launcher.open(CloneSource(url=url), GitLimits(scratch=str(scratch), seconds=60)) as repository:
            await repository.checkout()
    except JobFailed as error:
        left = await asyncio.to_thread(os.listdir, scratch)
        return Report(code=error.code, message=error.message, retryable=error.retryable, left=left)
    finally:
        await launcher.aclose()
    raise AssertionError("the clone did not fail")


if __name__ == "__main__":
    git_launcher = GitLauncher.fork_now()
    report = asyncio.run(main(git_launcher, sys.argv[1], Path(sys.argv[2])))
    sys.stdout.buffer.write(msgspec.json.encode(report))
