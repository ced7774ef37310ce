"""`cody-batch trace`: where a job's time went."""

from collections.abc import Mapping

import click
import msgspec

from cody_cli.output import json_option, open_console, print_json


@click.command()
@click.argument("job")
@click.option("--depth", type=click.IntRange(0, 20), default=8, show_default=True, help="Levels of the tree; 0: none.")
@json_option
@click.pass_obj
def trace(environment: Mapping[str, str], *, job: str, depth: int, as_json: bool) -> None:
    """Show the time per step of JOB, and its spans as a tree."""
    from cody_cli.api import job_path
    from cody_cli.ask_api import ask_api
    from cody_cli.show_trace import print_steps, print_tree
    from cody_cli.views import TraceView

    found = ask_api(environment, lambda api: api.get(f"{job_path(job)}/trace", msgspec.Raw))
    if as_json:
        print_json(found)
        return
    view, console = msgspec.json.decode(found, type=TraceView), open_console()
    print_steps(view, console)
    print_tree(view, console, depth=depth)
