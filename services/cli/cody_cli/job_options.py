"""The options that describe a job, the same for `run` and `submit`."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, TypeVar

import click
from msgspec import UNSET, UnsetType

from cody_cli.failures import BadInput
from cody_cli.job_file import JobFile, complete, read_plan, read_prompt
from cody_jobs.models import JobType
from cody_jobs.steps import CodemodStep, EditStep, Judge, Lane, Step, VerifyStep

C = TypeVar("C", bound=Callable[..., object])


class JobOptions(TypedDict):
    """What click passes for these options; None and () where they were not given."""

    prompt: str | None
    prompt_file: Path | None
    name: str | None
    kind: str | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    match: str | None
    model: str | None
    plan: str | None
    max_cost: float | None
    max_cost_per_repository: float | None
    max_cost_per_file: float | None
    sample: int | None
    dry_run: bool
    lane: str | None
    codemod: tuple[str, ...]
    no_edit: bool
    verify: tuple[str, ...]
    judge: str | None
    allow_path: tuple[str, ...]


_OPTIONS = (
    click.option("--prompt", metavar="TEXT", help="What Claude is asked about every candidate file."),
    click.option("--prompt-file", type=click.Path(path_type=Path), metavar="FILE", help="The prompt from a file."),
    click.option("--name", metavar="TEXT", help="The job's name for people.  [default: the prompt's beginning]"),
    click.option(
        "--type", "kind", type=click.Choice([kind.value for kind in JobType]), help="What kind of change it is."
    ),
    click.option("--include", multiple=True, metavar="GLOB", help="Only these paths (gitignore style; repeatable)."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="Not these paths (repeatable)."),
    click.option("--match", metavar="REGEX", help="Only files whose text contains a match."),
    click.option("--model", metavar="MODEL", help="A Claude model other than CLAUDE_MODEL."),
    click.option("--plan", metavar="FILE", help="The job's plan, as JSON, so that Claude is asked for none."),
    click.option("--max-cost", type=float, metavar="USD", help="What the whole job may cost."),
    click.option("--max-cost-per-repository", type=float, metavar="USD", help="What each repository may cost."),
    click.option("--max-cost-per-file", type=float, metavar="USD", help="What each file may cost."),
    click.option(
        "--sample",
        type=click.IntRange(1, 100),
        metavar="N",
        help="Work on N repositories that differ first; `approve` goes on with the rest.",
    ),
    click.option("--dry-run", is_flag=True, help="Only tell what would be asked, and what that would cost."),
    click.option(
        "--lane", type=click.Choice([lane.value for lane in Lane]), help="economy: half the price, within a day."
    ),
    click.option(
        "--codemod", multiple=True, metavar="COMMAND", help="Run this in each repository before the edit (repeatable)."
    ),
    click.option("--no-edit", is_flag=True, help="Codemods alone: Claude is not asked."),
    click.option(
        "--verify", multiple=True, metavar="COMMAND", help="A command that has to pass afterwards (repeatable)."
    ),
    click.option(
        "--judge", type=click.Choice([kind.value for kind in Judge]), help="Claude compares each diff with the prompt."
    ),
    click.option("--allow-path", multiple=True, metavar="GLOB", help="A protected path that may be changed."),
)


def job_options(command: C) -> C:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def apply_options(job: JobFile, options: JobOptions) -> JobFile:
    """The job with the options that were given in place of its fields."""
    return complete(
        job,
        prompt=read_prompt(options["prompt"], options["prompt_file"]),
        name=UNSET if options["name"] is None else options["name"],
        type=UNSET if options["kind"] is None else JobType(options["kind"]),
        include=options["include"] or UNSET,
        exclude=options["exclude"] or UNSET,
        match=UNSET if options["match"] is None else options["match"],
        model=UNSET if options["model"] is None else options["model"],
        plan=read_plan(options["plan"]),
        max_cost_usd=_given(options["max_cost"]),
        max_cost_per_repository_usd=_given(options["max_cost_per_repository"]),
        max_cost_per_file_usd=_given(options["max_cost_per_file"]),
        sample=UNSET if options["sample"] is None else options["sample"],
        dry_run=options["dry_run"] or UNSET,
        lane=UNSET if options["lane"] is None else Lane(options["lane"]),
        steps=_steps(options),
        judge=UNSET if options["judge"] is None else Judge(options["judge"]),
        allow_paths=options["allow_path"] or UNSET,
    )


def _steps(options: JobOptions) -> tuple[Step, ...] | UnsetType:
    """Commands are split into words as a shell would; no shell runs them."""
    if not options["codemod"] and not options["verify"] and not options["no_edit"]:
        return UNSET
    codemods = [CodemodStep(argv=_words("--codemod", command)) for command in options["codemod"]]
    edits = [] if options["no_edit"] else [EditStep()]
    checks = [VerifyStep(argv=_words("--verify", command)) for command in options["verify"]]
    return (*codemods, *edits, *checks)


def _words(option: str, command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise BadInput(f"{option} {command!r}: {error}") from error


def _given(amount: float | None) -> float | UnsetType:
    return UNSET if amount is None else amount
