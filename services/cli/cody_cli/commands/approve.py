"""`cody-batch approve`: the sample is right, go on with the rest."""

from collections.abc import Mapping
from pathlib import Path

import click

from cody_cli.output import json_option, print_json, tell


@click.command()
@click.argument("job")
@click.option("--prompt", metavar="TEXT", help="A better prompt, for the rest and for what failed of the sample.")
@click.option("--prompt-file", type=click.Path(path_type=Path), metavar="FILE", help="The better prompt from a file.")
@click.option("--again", is_flag=True, help="Run the sample's succeeded repositories again, too.")
@json_option
@click.pass_obj
def approve(
    environment: Mapping[str, str],
    *,
    job: str,
    prompt: str | None,
    prompt_file: Path | None,
    again: bool,
    as_json: bool,
) -> None:
    """Let JOB go on with all its repositories. The same approval again changes nothing."""
    from cody_cli.ask_api import ask_api
    from cody_cli.job_changes import approval

    body = approval(prompt, prompt_file, again=again)
    answer = ask_api(environment, lambda api: api.change(job, "approve", body))
    if as_json:
        print_json(answer)
        return
    tell(f"{answer.id} is {answer.status}; follow it with: cody-batch events {answer.id}")
