"""The schema: numbered SQL files, applied in order, forward only."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from msgspec import Struct

from cody_backends.postgres.connection import Connection
from cody_jobs.errors import SettingsError

_LOCK = 0x636F6479  # "cody"
_LOCK_SECONDS = 300.0
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TABLE = """
    CREATE TABLE IF NOT EXISTS cody_migrations (
        number integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


class Migration(Struct, frozen=True, kw_only=True):
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Of the text, whatever the line endings of this checkout are."""
        return hashlib.sha256("\n".join(self.sql.splitlines()).encode()).hexdigest()


async def migrate(connection: Connection, migrations: Sequence[Migration]) -> list[int]:
    """Apply what is missing, each in a transaction of its own; return the numbers that were applied now.

    Programs that start at once take turns. Raises `SettingsError` when the database is newer than this program, or
    was made from other files.
    """
    await connection.fetchval("SELECT pg_advisory_lock($1)", _LOCK, timeout=_LOCK_SECONDS)
    try:
        await connection.execute(_TABLE)
        applied = {row["number"]: row["checksum"] for row in await connection.fetch("SELECT * FROM cody_migrations")}
        _check(migrations, applied)
        missing = [migration for migration in migrations if migration.number not in applied]
        for migration in missing:
            await _apply(connection, migration)
        return [migration.number for migration in missing]
    finally:
        if not connection.is_closed():
            await connection.fetchval("SELECT pg_advisory_unlock($1)", _LOCK)


def read_migrations() -> list[Migration]:
    """The files of this program, numbered 1, 2, 3 and so on."""
    found: list[Migration] = []
    for file in files("cody_backends.postgres").joinpath("migrations").iterdir():
        name = _FILE_NAME.fullmatch(file.name)
        if name:
            found.append(Migration(number=int(name[1]), name=name[2], sql=file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    assert [migration.number for migration in found] == list(range(1, len(found) + 1)), "a number is missing or doubled"
    return found


def _check(migrations: Sequence[Migration], applied: Mapping[int, str]) -> None:
    known = {migration.number: migration for migration in migrations}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        raise SettingsError(
            f"the database has schema {newer[-1]}, but this program knows {len(known)}: "
            "a newer version has used it. Install that version (or a later one) here, too"
        )
    for number, checksum in applied.items():
        if known[number].checksum != checksum:
            raise SettingsError(
                f"schema {number} ({known[number].name}) was applied to this database from another text than this "
                "program has: a database of a development version? Point DATABASE_URL (or CODY_DATA) at a fresh one"
            )


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql, timeout=_LOCK_SECONDS)
        await connection.execute(
            "INSERT INTO cody_migrations (number, name, checksum) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )
