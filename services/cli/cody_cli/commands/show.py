"""`cody-batch show`: a job, or one of its repositories."""

from collections.abc import Mapping

import click

from cody_cli.output import json_option, open_console, print_json


@click.command()
@click.argument("job")
@click.argument("repository", required=False)
@json_option
@click.pass_obj
def show(environment: Mapping[str, str], *, job: str, repository: str | None, as_json: bool) -> None:
    """Show JOB with its repositories, or one REPOSITORY (owner/name) of it with its files."""
    from cody_cli import show_job
    from cody_cli.ask_api import ask_api

    if repository is None:
        whole = ask_api(environment, lambda api: show_job.read_job(api, job))
        if not as_json:
            return show_job.print_job(whole, open_console())
        return print_json(whole)
    run = ask_api(environment, lambda api: show_job.read_run(api, job, repository))
    if not as_json:
        return show_job.print_run(run, open_console())
    return print_json(run)
