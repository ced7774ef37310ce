"""`cody-batch ops dead-letters`: messages that were given up."""

from collections.abc import Mapping

import click

from cody_cli.output import json_option, open_console, print_json, run_async, tell
from cody_cli.stores import open_stores
from cody_jobs.messages import JOBS_QUEUE
from cody_jobs.ports import DeadLetter


@click.group("dead-letters", invoke_without_command=True)
@click.pass_context
def dead_letters(context: click.Context) -> None:
    """List messages that were given up (the default), or send them again."""
    if context.invoked_subcommand is None:
        context.invoke(list_letters)


@dead_letters.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_letters(environment: Mapping[str, str], *, limit: int, as_json: bool) -> None:
    """List dead letters with the reason, newest first."""
    letters = run_async(_list(environment, limit))
    if as_json:
        print_json([_as_json(letter) for letter in letters])
        return
    _print_table(letters)


@dead_letters.command()
@json_option
@click.pass_obj
def redrive(environment: Mapping[str, str], *, as_json: bool) -> None:
    """Send all dead letters to their queue again."""
    sent = run_async(_redrive(environment))
    if as_json:
        print_json({"redriven": sent})
        return
    tell(f"{sent} message(s) were sent again.")


async def _list(environment: Mapping[str, str], limit: int) -> list[DeadLetter]:
    async with open_stores(environment) as stores:
        return await stores.queue.list_dead_letters(JOBS_QUEUE, limit=limit)


async def _redrive(environment: Mapping[str, str]) -> int:
    async with open_stores(environment) as stores:
        return await stores.queue.redrive(JOBS_QUEUE)


def _as_json(letter: DeadLetter) -> dict[str, object]:
    body = letter.body.decode(errors="replace")
    return {
        "id": letter.id,
        "diedAt": letter.died_at,
        "receives": letter.receives,
        "reason": letter.reason,
        "body": body,
    }


def _print_table(letters: list[DeadLetter]) -> None:
    from cody_cli.tables import plain_table

    if not letters:
        tell("There are no dead letters.")
        return
    table = plain_table("died", "receives", "reason", "message")
    for letter in letters:
        body = letter.body.decode(errors="replace")[:200]
        table.add_row(f"{letter.died_at:%Y-%m-%d %H:%M:%S}", str(letter.receives), letter.reason, body)
    open_console().print(table)
