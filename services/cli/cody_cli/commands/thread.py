"""`cody-batch thread`: what was said to and by Claude."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
import msgspec

from cody_cli.failures import CommandFailed
from cody_cli.output import json_option, open_console, print_json
from cody_jobs.outcomes import ClaudeThread

if TYPE_CHECKING:
    from cody_cli.api import Api


@click.command()
@click.argument("job")
@click.argument("repository")
@click.option("--path", metavar="PATH", help="Only the conversation about this file.")
@json_option
@click.pass_obj
def thread(environment: Mapping[str, str], *, job: str, repository: str, path: str | None, as_json: bool) -> None:
    """Show the conversations about the files of REPOSITORY (owner/name) in JOB."""
    from cody_cli.ask_api import ask_api
    from cody_cli.conversation import print_thread

    found = ask_api(environment, lambda api: _read(api, job, repository, path))
    if path is not None and not found:
        raise CommandFailed(f"there is no conversation about {path}", hint=f"cody-batch show {job} {repository}")
    if as_json:
        print_json(found)
        return
    console = open_console()
    for raw in found:
        print_thread(msgspec.json.decode(raw, type=ClaudeThread), console)


async def _read(api: "Api", job_id: str, repository: str, path: str | None) -> list[msgspec.Raw]:
    """As the API has them."""
    from cody_cli.api import run_path

    address = f"{run_path(job_id, repository)}/claude-thread"
    found = [raw async for raw in api.pages(address, msgspec.Raw)]
    return [raw for raw in found if path is None or msgspec.json.decode(raw, type=ClaudeThread).path == path]
