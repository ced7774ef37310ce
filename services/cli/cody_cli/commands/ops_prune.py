"""`cody-batch ops prune`: delete what is old."""

import re
from collections.abc import Mapping
from datetime import timedelta

import click

from cody_cli.output import json_option, print_json, run_async, tell
from cody_cli.stores import open_stores

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType[timedelta, str]):
    """30d, 12h, 2w, 90m."""

    name = "age"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,5})([mhdw])", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not an age: write 30d, 12h, 2w or 90m", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command()
@click.option("--older-than", "age", type=Age(), required=True, help="30d, 12h, 2w or 90m after their end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def prune(environment: Mapping[str, str], *, age: timedelta, yes: bool, as_json: bool) -> None:
    """Delete jobs that ended long ago with their patches, conversations and events.

    What Claude answered stays usable for later jobs with the same question.
    """
    if not yes:
        click.confirm(f"Delete every job that ended more than {age} ago, with all its results?", abort=True, err=True)
    deleted = run_async(_prune(environment, age))
    if as_json:
        print_json({"deleted": deleted})
        return
    tell(f"{len(deleted)} job(s) deleted.")


async def _prune(environment: Mapping[str, str], age: timedelta) -> list[str]:
    async with open_stores(environment) as stores:
        deleted = await stores.jobs.prune(ended_before=age)
        await stores.results.forget_jobs(deleted)
        return deleted
