"""What was found out about each run."""

import msgspec

from cody_backends.cursors import PathCursor, read_cursor, write_cursor
from cody_backends.postgres.connection import Connection
from cody_backends.postgres.texts import storable
from cody_jobs.errors import ResultNotFound
from cody_jobs.models import Page
from cody_jobs.reports import RepositoryReport, RunReport

_report = msgspec.json.Decoder(RunReport)


async def put_report(connection: Connection, *, job_id: str, repository: str, report: RunReport) -> None:
    await connection.execute(
        """
        INSERT INTO run_reports (job_id, repository, report, estimate) VALUES ($1, $2, $3, $4)
        ON CONFLICT (job_id, repository) DO UPDATE SET report = excluded.report, estimate = excluded.estimate
        """,
        job_id,
        repository,
        report,
        report.estimate,
    )


async def get_report(connection: Connection, *, job_id: str, repository: str) -> RunReport:
    report = await connection.fetchval(
        "SELECT report FROM run_reports WHERE job_id = $1 AND repository = $2", storable(job_id), storable(repository)
    )
    if report is None:
        raise ResultNotFound(f"job {job_id} has no report on {repository}")
    return _report.decode(report)


async def list_reports(
    connection: Connection, *, job_id: str, limit: int, cursor: str | None
) -> Page[RepositoryReport]:
    after = read_cursor(cursor, PathCursor)
    rows = await connection.fetch(
        """
        SELECT repository, report FROM run_reports WHERE job_id = $1 AND repository > $2
        ORDER BY repository LIMIT $3
        """,
        storable(job_id),
        after.path if after else "",
        limit + 1,
    )
    items = [RepositoryReport(repository=row["repository"], report=_report.decode(row["report"])) for row in rows]
    more = write_cursor(PathCursor(path=items[limit - 1].repository)) if len(items) > limit else None
    return Page(items=tuple(items[:limit]), cursor=more)
