"""The oracles and the good Claude of each migration come to the same result by different ways."""

from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from cody_worker.file_text import read_text
from evals.migration import Files, Migration
from evals.migrations import MIGRATIONS


@pytest.fixture(params=MIGRATIONS, ids=lambda migration: migration.name)
def migration(request: pytest.FixtureRequest) -> Migration:
    return request.param


def test_the_oracle_changes_enough_files_and_the_good_claude_changes_them_alike(migration: Migration) -> None:
    changed = 0
    for before, right in repositories(migration):
        changed += sum(before[path] != right[path] for path in before)
        for path in before:
            if not any(fnmatch(path, pattern) for pattern in migration.skipped):
                assert migration.good(path, shown(before[path])) == shown(right[path]), path
    assert changed >= migration.changes


def test_there_are_enough_migrations_each_with_a_name_of_its_own() -> None:
    assert len({migration.name for migration in MIGRATIONS}) == len(MIGRATIONS) >= 12


def repositories(migration: Migration) -> Iterator[tuple[Files, Files]]:
    """Each as it is, and as it has to be."""
    for files in migration.repositories().values():
        yield files, migration.oracle(files)


def shown(data: bytes) -> str:
    text = read_text(data)
    assert text is not None
    return text.shown
