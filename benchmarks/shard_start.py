"""How long from `Compute.start` until the worker's first line runs: `./dev bench shard_start`.

The fork server imports what the real worker needs (`cody_worker.preload`); the worker of this measurement only says
the time. Shards are started one after the other, then several at once.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.tables import print_head, print_machine, print_row
from cody_backends.processes.compute import WorkerProgram, open_processes
from cody_jobs.ports import Compute, ComputeRequest, ShardState

SHARDS = 50
AT_ONCE = 8


def run(_arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """What each worker does: note the time (of the machine's one monotonic clock) at which it is at work."""
    index = environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")
    now = time.monotonic()
    (Path(environment["NOTES"]) / f"{environment['ROUND']}-{index}").write_text(json.dumps(now))
    return 0


async def main() -> None:
    print_machine()
    print_head("what", "shards", "median ms", "longest ms")
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder)
        worker = WorkerProgram(
            entry="benchmarks.shard_start:run",
            preload=("cody_worker.preload",),
            environment={**os.environ, "PYTHONPATH": str(Path.cwd()), "NOTES": folder},
        )
        opened = time.monotonic()
        async with open_processes(worker, at_once=AT_ONCE, folder=notes / "workers") as compute:
            first = await _started(compute, notes, "first", 1)
            _show("the first one after opening, imports included", [(max(first) - opened) * 1000])
            await _measure(compute, notes)


async def _measure(compute: Compute, notes: Path) -> None:
    alone: list[float] = []
    for number in range(SHARDS):
        begun = time.monotonic()
        (at_work,) = await _started(compute, notes, f"alone-{number}", 1)
        alone.append((at_work - begun) * 1000)
    _show("one after the other", alone)
    begun = time.monotonic()
    together = [(at_work - begun) * 1000 for at_work in await _started(compute, notes, "together", AT_ONCE)]
    _show("at once", together)


async def _started(compute: Compute, notes: Path, name: str, shards: int) -> list[float]:
    request = ComputeRequest(job_id=name, attempt=1, shards=shards, environment={"ROUND": name})
    compute_id = await compute.start(request)
    while True:
        reports = (await compute.describe(compute_id, range(shards))).values()
        if any(report.state is ShardState.FAILED for report in reports):
            raise SystemExit(f"a worker failed: {reports}")
        if all(report.state is ShardState.SUCCEEDED for report in reports):
            return [json.loads((notes / f"{name}-{index}").read_text()) for index in range(shards)]
        await asyncio.sleep(0.002)


def _show(what: str, milliseconds: list[float]) -> None:
    median, longest = statistics.median(milliseconds), max(milliseconds)
    print_row(what, len(milliseconds), f"{median:.1f}", f"{longest:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
