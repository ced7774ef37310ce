"""The options that describe a job, the same for `run` and `submit`."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from cody_jobs.models import JobType

C = TypeVar("C", bound=Callable[..., object])

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
)


def job_options(command: C) -> C:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
