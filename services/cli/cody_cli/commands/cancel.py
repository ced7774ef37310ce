"""`cody-batch cancel`: a job is over when you say so."""

from collections.abc import Mapping

import click

from cody_cli.output import json_option, print_json, tell


@click.command()
@click.argument("job")
@json_option
@click.pass_obj
def cancel(environment: Mapping[str, str], *, job: str, as_json: bool) -> None:
    """End JOB now. Repositories that have ended stay as they are; the others are cancelled."""
    from cody_cli.ask_api import ask_api

    answer = ask_api(environment, lambda api: api.cancel(job))
    if as_json:
        print_json(answer)
        return
    tell(f"{answer.id} is {answer.status}")
