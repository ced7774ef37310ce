"""`cody-batch plan`: what a job does where, before it does it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import Raw

from cody_cli.failures import BadInput, CommandFailed
from cody_cli.job_file import read_file
from cody_cli.output import json_option, open_console, print_json, tell
from cody_jobs.outcomes import ClaudeThread
from cody_jobs.plan import JobPlan, Plan

if TYPE_CHECKING:
    from cody_cli.api import Api

_NO_EDITOR = "set EDITOR, or write the plan with --json into a file and bring it back with --set FILE"


@click.command()
@click.argument("job")
@click.option("--set", "file", metavar="FILE", help="Replace it by the plan in a JSON file (`-`: standard input).")
@click.option("--edit", is_flag=True, help="Replace it by what you make of it in your editor.")
@click.option("--thread", is_flag=True, help="Show the conversation with Claude that made it.")
@json_option
@click.pass_obj
def plan(
    environment: Mapping[str, str], *, job: str, file: str | None, edit: bool, thread: bool, as_json: bool
) -> None:
    """Show the plan of JOB: which files it concerns, which repositories it leaves alone, how a file is changed, and how
    to see that all is done. It can be replaced while the job is not RUNNING."""
    if sum((file is not None, edit, thread)) > 1:
        raise BadInput("--set, --edit and --thread: only one of them")
    if thread:
        return _show_thread(environment, job, as_json=as_json)
    if edit and not _edit(environment, job):
        return tell("nothing was changed")
    if file is not None:
        _put(environment, job, read_file(file))
    return _show(environment, job, as_json=as_json)


def _show(environment: Mapping[str, str], job: str, *, as_json: bool) -> None:
    from cody_cli.ask_api import ask_api
    from cody_cli.show_plan import print_plan

    made = ask_api(environment, lambda api: _get(api, job))
    if as_json:
        print_json(made)
        return
    print_plan(msgspec.json.decode(made, type=JobPlan), open_console())


def _show_thread(environment: Mapping[str, str], job: str, *, as_json: bool) -> None:
    from cody_cli.ask_api import ask_api
    from cody_cli.conversation import print_thread

    found = ask_api(environment, lambda api: _get(api, job, "/claude-thread"))
    if as_json:
        print_json(found)
        return
    print_thread(msgspec.json.decode(found, type=ClaudeThread), open_console())


def _edit(environment: Mapping[str, str], job: str) -> bool:
    """Whether there is a new plan. What the API refuses is kept in a file: nobody writes it twice."""
    before = _present_plan(environment, job)
    try:
        after = click.edit(before, extension=".json", require_save=True)
    except click.ClickException as error:
        raise CommandFailed(f"no editor could be started: {error.message}", hint=_NO_EDITOR) from error
    if after is None or after.strip() == before.strip():
        return False
    try:
        _put(environment, job, after.encode())
    except CommandFailed as error:
        kept = Path(f"{job}.plan.json")
        kept.write_text(after, encoding="utf-8")
        hint = f"your text is in {kept}; correct it, then: cody-batch plan {job} --set {kept}"
        raise CommandFailed(error.message, hint=hint) from error
    return True


def _present_plan(environment: Mapping[str, str], job: str) -> str:
    """As JSON, every field of it; an empty one where none is made yet."""
    from cody_cli.api import ApiRefused
    from cody_cli.ask_api import ask_api

    try:
        made = msgspec.json.decode(ask_api(environment, lambda api: _get(api, job)), type=JobPlan).plan
    except ApiRefused as error:
        if error.code != "result_not_found":
            raise
        made = Plan()
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


def _put(environment: Mapping[str, str], job: str, body: bytes) -> None:
    from cody_cli.api import job_path
    from cody_cli.ask_api import ask_api

    ask_api(environment, lambda api: api.put(f"{job_path(job)}/plan", body))


async def _get(api: "Api", job: str, what: str = "") -> Raw:
    """As the API has it."""
    from cody_cli.api import job_path

    return await api.get(f"{job_path(job)}/plan{what}", Raw)
