"""In the economy lane, a request that was sent is found again as a whole, though some of its answers are stored."""

from typing import cast

import pytest
from msgspec.structs import replace

from cody_jobs.models import RunOutcome
from cody_worker.claude import ClaudeRequest
from cody_worker.claude.batches.batched_claude import BatchedClaude
from cody_worker.run_shard import ShardWork
from tests.unit.cody_worker.conftest import ShardBench
from tests.unit.cody_worker.edit.test_files_of_a_repository import LOCAL, Answering

WHOLE = [f"{number}.txt" for number in range(5)]


class Batched(Answering):
    """Stands for `BatchedClaude`. All that it was asked before is `held`, or nothing is."""

    def __init__(self, *, held: bool) -> None:
        super().__init__(
            lambda path: [("edit_file", {"path": path, "edits": [{"old_text": "OLD", "new_text": "NEW"}]})]
        )
        self.held = held

    def name(self, request: ClaudeRequest) -> str:
        return str(len(self.asked))

    async def holds(self, request: ClaudeRequest) -> bool:
        return self.held


@pytest.mark.parametrize(
    ("held", "asked"),
    [(True, WHOLE), (False, [path for path in WHOLE if path != "1.txt"])],
    ids=["it was sent", "it was not"],
)
async def test_a_request_whose_answers_are_known_in_part(bench: ShardBench, held: bool, asked: list[str]) -> None:
    await work_in_lane(bench, "acme/one", ["1.txt"], Batched(held=False))
    batched = Batched(held=held)
    run = await work_in_lane(bench, "acme/web", WHOLE, batched)
    assert batched.paths() == [asked]
    assert run.outcome is RunOutcome.PATCH
    assert run.files.edited == len(WHOLE)
    assert run.files.reused == len(WHOLE) - len(asked)


async def work_in_lane(bench: ShardBench, name: str, paths: list[str], batched: Batched):
    bench.repository(name, {path: f"{path} OLD\n".encode() for path in paths})
    job, shard = await bench.dispatched(name, include=(), plan=LOCAL)
    tools = replace(bench.tools("worker-1"), batched=cast("BatchedClaude", batched))
    await ShardWork(tools, job, shard, bench.stop).run()
    return await bench.backends.jobs.get_run(job.id, name)
