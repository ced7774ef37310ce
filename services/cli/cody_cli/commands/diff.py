"""`cody-batch diff`: what a job changed."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cody_cli.failures import BadInput, CommandFailed
from cody_cli.output import json_option, open_console, print_json, tell

if TYPE_CHECKING:
    from cody_cli.api import Api


@click.command()
@click.argument("job")
@click.argument("repository", required=False)
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write owner__name.patch files there.")
@click.option("--partial", is_flag=True, help="Of a failed REPOSITORY, the files that did not fail.")
@json_option
@click.pass_obj
def diff(
    environment: Mapping[str, str], *, job: str, repository: str | None, out: Path | None, partial: bool, as_json: bool
) -> None:
    """Show the diff of REPOSITORY (owner/name) in JOB; without it, of every repository that has one.

    In a pipe it is the patch, byte for byte, as `git apply --index` takes it.
    """
    from cody_cli.ask_api import ask_api

    if partial and repository is None:
        raise BadInput("--partial is for one repository", hint="name it: cody-batch diff JOB OWNER/NAME --partial")
    patches = ask_api(environment, lambda api: _read(api, job, repository, partial=partial))
    if out is not None:
        _write(patches, out, as_json=as_json)
        return
    if as_json:
        print_json([{"repository": name, "patch": patch.decode(errors="replace")} for name, patch in patches.items()])
        return
    _print(patches)


async def _read(api: "Api", job_id: str, repository: str | None, *, partial: bool) -> dict[str, bytes]:
    if repository is not None:
        return {repository: await api.diff(job_id, repository, partial=partial)}
    names = [run.repository async for run in api.runs(job_id) if run.outcome in ("patch", "pull_request")]
    if not names:
        raise CommandFailed(f"no repository of {job_id} has a diff", hint=f"cody-batch show {job_id}")
    return {name: await api.diff(job_id, name) for name in names}


def _write(patches: Mapping[str, bytes], out: Path, *, as_json: bool) -> None:
    from cody_cli.patches import PatchFolder

    folder = PatchFolder(out.absolute())
    written = [{"repository": name, "file": folder.write(name, patch)} for name, patch in patches.items()]
    if as_json:
        print_json(written)
        return
    tell(f"{len(written)} patch(es) in {out}")


def _print(patches: Mapping[str, bytes]) -> None:
    console = open_console()
    if not console.is_terminal:
        if len(patches) > 1:
            raise BadInput(
                f"{len(patches)} repositories have a diff, and a patch is for one",
                hint="name the repository, or write files with --out FOLDER",
            )
        sys.stdout.buffer.write(next(iter(patches.values())))
        return
    from cody_cli.coloured_diff import print_diff

    for name, patch in patches.items():
        print_diff(name, patch, console)
