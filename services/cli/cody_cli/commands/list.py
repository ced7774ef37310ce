"""`cody-batch list`: jobs, newest first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
import msgspec

from cody_cli.output import json_option, open_console, print_json, tell
from cody_jobs.models import JobStatus

if TYPE_CHECKING:
    from cody_cli.views import JobView


@click.command("list")
@click.option("--status", type=click.Choice([status.value for status in JobStatus], case_sensitive=False))
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Jobs on one page.")
@click.option("--cursor", metavar="CURSOR", help="Go on after an earlier page.")
@json_option
@click.pass_obj
def list_jobs(
    environment: Mapping[str, str], *, status: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """List jobs, newest first."""
    from cody_cli.ask_api import ask_api
    from cody_cli.views import JobView, PageView

    found = ask_api(environment, lambda api: api.get("/jobs", msgspec.Raw, status=status, limit=limit, cursor=cursor))
    if as_json:
        print_json(found)
        return
    page = msgspec.json.decode(found, type=PageView[JobView])
    _print_table(page.items)
    if page.cursor:
        tell(f"there are more: --cursor {page.cursor}")


def _print_table(jobs: "tuple[JobView, ...]") -> None:
    from cody_cli.job_report import job_status_words
    from cody_cli.tables import plain_table

    if not jobs:
        tell("There are no jobs.")
        return
    table = plain_table("job", "status", "done", "failed", "created", "name")
    table.columns[0].no_wrap = True  # an id that is broken in two cannot be copied
    for job in jobs:
        done = f"{job.counts.succeeded + job.counts.failed + job.counts.cancelled}/{job.repositories}"
        created = f"{job.created_at.astimezone():%Y-%m-%d %H:%M}"
        failed = str(job.counts.failed or "")
        table.add_row(job.id, job_status_words(job.status), done, failed, created, job.name)
    open_console().print(table)
