"""`cody-batch retry`: what failed, once more."""

from collections.abc import Mapping

import click

from cody_cli.output import json_option, print_json, tell


@click.command()
@click.argument("job")
@json_option
@click.pass_obj
def retry(environment: Mapping[str, str], *, job: str, as_json: bool) -> None:
    """Queue the failed and cancelled repositories of JOB again. Answers that were paid for are reused."""
    from cody_cli.ask_api import ask_api

    answer = ask_api(environment, lambda api: api.retry(job))
    if as_json:
        print_json(answer)
        return
    tell(f"{answer.id} is {answer.status}; follow it with: cody-batch events {answer.id}")
