"""Groups of failures and of diffs, as `groups` reads and prints them; with `--json` as the API has them."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from rich.console import Console

from cody_cli.api import Api, job_path
from cody_cli.tables import plain_table
from cody_cli.views import DiffGroupView, FailureGroupView
from cody_cli.words import count

_NAMES_SHOWN = 3


class Groups(Struct, frozen=True, kw_only=True):
    failures: tuple[Raw, ...]
    diffs: tuple[Raw, ...]


async def read_groups(api: Api, job_id: str) -> Groups:
    failures = [group async for group in api.pages(f"{job_path(job_id)}/failures", Raw)]
    diffs = [group async for group in api.pages(f"{job_path(job_id)}/diffs/groups", Raw)]
    return Groups(failures=tuple(failures), diffs=tuple(diffs))


def print_groups(found: Groups, console: Console) -> None:
    if found.failures:
        table = plain_table("failed", "code", "message", "repositories")
        for raw in found.failures:
            group = msgspec.json.decode(raw, type=FailureGroupView)
            table.add_row(str(group.runs), group.code, group.message, _names(group.repositories, group.runs))
        console.print(table)
    if found.diffs:
        table = plain_table("diffs", "like", "change", "repositories")
        for raw in found.diffs:
            one = msgspec.json.decode(raw, type=DiffGroupView)
            example = one.example
            change = f"{count(example.files_changed, 'file')} +{example.lines_added} -{example.lines_removed}"
            table.add_row(str(one.runs), example.repository, change, _names(one.repositories, one.runs))
        console.print(table)
    if not found.failures and not found.diffs:
        console.print("Nothing failed, and there is no diff (yet).")


def _names(names: Sequence[str], runs: int) -> str:
    more = runs - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
