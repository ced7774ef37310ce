"""The diff of each run."""

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.texts import storable
from cody_jobs.diff_groups import DiffFacts
from cody_jobs.errors import ResultNotFound
from cody_jobs.outcomes import RunPatch


async def put_patch(connection: Connection, *, job_id: str, repository: str, patch: RunPatch, group: str) -> None:
    await connection.execute(
        """
        INSERT INTO patches (
            job_id, repository, base_commit, commit, branch, message, patch, files_changed, lines_added, lines_removed,
            diff_group
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (job_id, repository) DO UPDATE
        SET base_commit = excluded.base_commit, commit = excluded.commit, branch = excluded.branch,
            message = excluded.message, patch = excluded.patch, files_changed = excluded.files_changed,
            lines_added = excluded.lines_added, lines_removed = excluded.lines_removed,
            diff_group = excluded.diff_group
        """,
        job_id,
        repository,
        patch.base_commit,
        patch.commit,
        patch.branch,
        storable(patch.message),
        patch.patch,
        patch.files_changed,
        patch.lines_added,
        patch.lines_removed,
        group,
    )


async def get_patch(connection: Connection, *, job_id: str, repository: str) -> RunPatch:
    row = await connection.fetchrow(
        "SELECT * FROM patches WHERE job_id = $1 AND repository = $2", storable(job_id), storable(repository)
    )
    if row is None:
        raise ResultNotFound(f"job {job_id} has no diff for {repository}")
    return RunPatch(**{name: row[name] for name in RunPatch.__struct_fields__})


async def list_diffs(connection: Connection, *, job_id: str) -> list[DiffFacts]:
    rows = await connection.fetch(
        """
        SELECT repository, diff_group, files_changed, lines_added, lines_removed FROM patches
        WHERE job_id = $1 ORDER BY repository
        """,
        storable(job_id),
    )
    return [
        DiffFacts(
            repository=row["repository"],
            group=row["diff_group"],
            files_changed=row["files_changed"],
            lines_added=row["lines_added"],
            lines_removed=row["lines_removed"],
        )
        for row in rows
    ]


async def drop_patch(connection: Connection, *, job_id: str, repository: str) -> None:
    await connection.execute("DELETE FROM patches WHERE job_id = $1 AND repository = $2", job_id, repository)
