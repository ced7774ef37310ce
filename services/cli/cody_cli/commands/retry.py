"""`cody-batch retry`: what failed, or what you name, once more."""

from collections.abc import Mapping
from pathlib import Path

import click

from cody_cli.output import json_option, print_json, tell


@click.command()
@click.argument("job")
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Failed with this code (repeatable).")
@click.option("--outcome", "outcomes", multiple=True, metavar="OUTCOME", help="Succeeded with it (repeatable).")
@click.option("--repository", "repositories", multiple=True, metavar="GLOB", help="Only these names (repeatable).")
@click.option("--prompt", metavar="TEXT", help="A better prompt; without codes and outcomes, for all of a sample.")
@click.option("--prompt-file", type=click.Path(path_type=Path), metavar="FILE", help="The better prompt from a file.")
@json_option
@click.pass_obj
def retry(
    environment: Mapping[str, str],
    *,
    job: str,
    codes: tuple[str, ...],
    outcomes: tuple[str, ...],
    repositories: tuple[str, ...],
    prompt: str | None,
    prompt_file: Path | None,
    as_json: bool,
) -> None:
    """Queue the failed and cancelled repositories of JOB again, or those that the options name. Answers that were paid
    for are reused."""
    from cody_cli.ask_api import ask_api
    from cody_cli.job_changes import rerun
    from cody_cli.words import count

    body = rerun(codes, outcomes, repositories, prompt, prompt_file)
    answer = ask_api(environment, lambda api: api.change(job, "retry", body))
    if as_json:
        print_json(answer)
        return
    again = "" if answer.requeued is None else f": {count(answer.requeued, 'repository', 'repositories')} again"
    tell(f"{answer.id} is {answer.status}{again}; follow it with: cody-batch events {answer.id}")
