"""`python -m cody_worker --job-id JOB --attempt N`, with the shard's index in `AWS_BATCH_JOB_ARRAY_INDEX`."""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial


def main() -> None:
    sys.exit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Work on one shard; the exit code (0, 1 or 75, see `cody_jobs.ports.compute`)."""
    from cody_runtime.program import run_program
    from cody_worker.git.repository_process import GitLauncher
    from cody_worker.settings import WorkerSettings
    from cody_worker.shard_address import read_address
    from cody_worker.work import work

    _favour_the_loop()
    address = read_address(arguments, environment)
    # Before the first thread and the event loop: its children inherit what this process is now.
    git = GitLauncher.fork_now()
    return run_program("worker", WorkerSettings, partial(work, git=git, address=address), environment)


def _favour_the_loop() -> None:
    """A worker makes many short-lived objects, of which few are in circles, and looks into files in threads, for which
    its loop should not wait the usual 5 ms (`./dev bench files_at_once` shows both)."""
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


if __name__ == "__main__":
    main()
