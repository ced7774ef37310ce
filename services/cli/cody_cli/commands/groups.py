"""`cody-batch groups`: what many repositories have in common."""

from collections.abc import Mapping

import click

from cody_cli.output import json_option, open_console, print_json


@click.command()
@click.argument("job")
@json_option
@click.pass_obj
def groups(environment: Mapping[str, str], *, job: str, as_json: bool) -> None:
    """Show the failures of JOB by code and message, and its diffs by the change they make."""
    from cody_cli import show_groups
    from cody_cli.ask_api import ask_api

    found = ask_api(environment, lambda api: show_groups.read_groups(api, job))
    if not as_json:
        return show_groups.print_groups(found, open_console())
    return print_json(found)
