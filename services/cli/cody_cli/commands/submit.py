"""`cody-batch submit`: hand a job to the API."""

import secrets
from collections.abc import Mapping
from typing import Unpack

import click

from cody_cli.job_file import complete, encode_job, read_job_file
from cody_cli.job_options import JobOptions, apply_options, job_options
from cody_cli.output import json_option, print_json, tell


@click.command()
@click.argument("job_file", required=False)
@click.option(
    "--repository", multiple=True, metavar="OWNER/NAME", help="A repository as the API knows it (repeatable)."
)
@job_options
@click.option("--idempotency-key", metavar="KEY", help="The same key and job again return the same job.")
@json_option
@click.pass_obj
def submit(
    environment: Mapping[str, str],
    *,
    job_file: str | None,
    repository: tuple[str, ...],
    idempotency_key: str | None,
    as_json: bool,
    **options: Unpack[JobOptions],
) -> None:
    """Submit the job in JOB_FILE (`-` for standard input), in options, or in both, and print its id."""
    from cody_cli.ask_api import ask_api

    job = apply_options(read_job_file(job_file), options)
    body = encode_job(complete(job, repositories=repository) if repository else job)
    accepted = ask_api(environment, lambda api: api.submit(body, key=idempotency_key or secrets.token_hex(16)))
    if as_json:
        print_json(accepted)
        return
    click.echo(accepted.id)
    tell(f"accepted; follow it with: cody-batch events {accepted.id}")
