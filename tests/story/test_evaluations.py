"""All migrations of evals/, against a stand-in that makes no mistake: the engine comes to what the oracles say."""

import asyncio
import time
from pathlib import Path

from cody_stand_ins.claude import claude_stand_in
from evals.__main__ import GOOD_CLAUDE
from evals.measure import Bench, measure
from evals.migration import Migration
from evals.migrations import MIGRATIONS
from evals.report import scores_as_json
from evals.score import Score
from tests.story.conftest import environment_for
from tests.story.system import running_system

_AT_ONCE = 4


async def test_each_migration_ends_as_its_oracle_says(tmp_path: Path, database_url: str) -> None:
    root, room = tmp_path / "repositories", asyncio.Semaphore(_AT_ONCE)

    async def score(migration: Migration) -> Score:
        async with room:
            return await measure(bench, migration)

    async with (
        claude_stand_in(options=GOOD_CLAUDE) as stand_in,
        running_system(tmp_path, environment_for(database_url, stand_in, root)) as system,
    ):
        bench = Bench(system=system, root=root, model=None, clock=time.monotonic)
        scores = await asyncio.gather(*map(score, MIGRATIONS))
    failed = [score for score in scores if not score.success]
    assert not failed, scores_as_json(failed).decode()
    for migration, score_of_it in zip(MIGRATIONS, scores, strict=True):
        assert score_of_it.verdict.to_change >= migration.changes, migration.name
        assert score_of_it.calls >= score_of_it.verdict.to_change, migration.name


def test_there_are_enough_migrations_each_with_a_name_of_its_own() -> None:
    assert len({migration.name for migration in MIGRATIONS}) == len(MIGRATIONS) >= 12
