"""`cody-batch ops prune`: delete what is old."""

import re
from collections.abc import Mapping
from datetime import timedelta

import click
from msgspec import Struct

from cody_backends.open_backends import Backends
from cody_cli.failures import BadInput
from cody_cli.output import json_option, print_json, run_async, tell
from cody_cli.stores import open_stores
from cody_jobs.errors import JobNotFound

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PAGE = 500


class Age(click.ParamType[timedelta, str]):
    """30d, 12h, 2w, 90m."""

    name = "age"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,5})([mhdw])", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not an age: write 30d, 12h, 2w or 90m", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command()
@click.option("--older-than", "age", type=Age(), help="Jobs: 30d, 12h, 2w or 90m after their end.")
@click.option("--answers-older-than", "answers_age", type=Age(), help="Answers that nobody used for so long, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def prune(
    environment: Mapping[str, str],
    *,
    age: timedelta | None,
    answers_age: timedelta | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete jobs that ended long ago with their patches, conversations and events.

    What Claude answered stays usable for later jobs with the same question, unless --answers-older-than is given: then
    answers that were not used for so long are deleted, too, but for those that a remaining job shows. Asking these
    questions again costs money again.
    """
    if age is None and answers_age is None:
        raise BadInput("say what to delete: --older-than, --answers-older-than or both")
    if not yes:
        click.confirm(_question(age, answers_age), abort=True, err=True)
    pruned = run_async(_prune(environment, age, answers_age))
    if as_json:
        print_json(pruned)
        return
    if age is not None:
        tell(f"{len(pruned.deleted)} job(s) deleted.")
    if pruned.completed:
        tell(f"Results of {len(pruned.completed)} job(s) that had been deleted before were left, and are deleted now.")
    if answers_age is not None:
        tell(f"{pruned.answers} answer(s) forgotten.")


class Pruned(Struct, frozen=True, kw_only=True):
    """Ids of jobs; `completed` are those whose deletion was cut short before. `answers` is how many are forgotten."""

    deleted: tuple[str, ...]
    completed: tuple[str, ...]
    answers: int


def _question(age: timedelta | None, answers_age: timedelta | None) -> str:
    parts: list[str] = []
    if age is not None:
        parts.append(f"Delete every job that ended more than {age} ago, with all its results?")
    if answers_age is not None:
        parts.append(
            f"Forget every answer of Claude that was not used for {answers_age}? "
            "Whoever asks these questions again pays for them again."
        )
    return "\n".join(parts)


async def _prune(environment: Mapping[str, str], age: timedelta | None, answers_age: timedelta | None) -> Pruned:
    """Jobs before answers: then nothing shows the answers of deleted jobs any more."""
    deleted: list[str] = []
    completed: list[str] = []
    async with open_stores(environment) as stores:
        if age is not None:
            deleted = await stores.jobs.prune(ended_before=age)
            await stores.results.forget_jobs(deleted)
            completed = await _complete(stores)
        answers = 0 if answers_age is None else await stores.results.forget_outcomes(unused_for=answers_age)
    return Pruned(deleted=tuple(deleted), completed=tuple(completed), answers=answers)


async def _complete(stores: Backends) -> list[str]:
    """Forget jobs whose results outlived them: whoever deleted them died on the way, or a worker wrote late."""
    completed: list[str] = []
    after: str | None = None
    while page := await stores.results.list_job_ids(after=after, limit=_PAGE):
        gone = [job_id for job_id in page if await _is_gone(stores, job_id)]
        await stores.results.forget_jobs(gone)
        completed += gone
        after = page[-1]
    return completed


async def _is_gone(stores: Backends, job_id: str) -> bool:
    try:
        await stores.jobs.get_job(job_id)
    except JobNotFound:
        return True
    return False
