"""`cody-batch events`: what happens to a job, as it happens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from cody_cli.output import json_option, print_json_line

if TYPE_CHECKING:
    from cody_cli.api import Api


@click.command()
@click.argument("job")
@click.option("--after", type=click.IntRange(0), default=0, metavar="ID", help="Only events after this one.")
@json_option
@click.pass_obj
def events(environment: Mapping[str, str], *, job: str, after: int, as_json: bool) -> None:
    """Print JOB's events, from the first one on, until the job has ended. With --json, one object a line."""
    from cody_cli.ask_api import ask_api

    ask_api(environment, lambda api: _print(api, job, after, as_json=as_json))


async def _print(api: "Api", job_id: str, after: int, *, as_json: bool) -> None:
    from cody_cli.event_lines import event_line
    from cody_cli.event_stream import follow_events

    async for event in follow_events(api, job_id, after=after):
        if as_json:
            print_json_line(event)
        else:
            click.echo(event_line(event))
