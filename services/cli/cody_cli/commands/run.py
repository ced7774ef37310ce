"""`cody-batch run`: one prompt over local repositories, from start to patches."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

import click

from cody_cli.branches import check_branch_is_new, check_branch_name
from cody_cli.data_folder import DataFolder
from cody_cli.failures import BadInput
from cody_cli.job_file import JobFile, complete, encode_job, name_of, read_job_file
from cody_cli.job_options import JobOptions, apply_options, job_options
from cody_cli.local_repositories import find_repositories, register_repositories, uncommitted_changes
from cody_cli.output import json_option, open_console, print_json, run_async, tell

_FOLDER = click.Path(path_type=Path)


class RunOptions(JobOptions):
    repo: tuple[Path, ...]
    repos: Path | None
    out: Path | None
    concurrency: int | None
    branch: str | None


@click.command()
@click.argument("job_file", required=False)
@click.option("--repo", type=_FOLDER, multiple=True, metavar="PATH", help="A git repository; read only (repeatable).")
@click.option("--repos", type=_FOLDER, metavar="FOLDER", help="Every git repository directly below a folder.")
@job_options
@click.option("--out", type=_FOLDER, metavar="FOLDER", help="Where the patches go.  [default: patches/JOB]")
@click.option("--concurrency", type=click.IntRange(1, 4096), metavar="N", help="Calls to Claude at once, at most.")
@click.option("--branch", metavar="NAME", help="Also put each patch on a new branch of its repository.")
@json_option
@click.pass_obj
def run(environment: Mapping[str, str], *, job_file: str | None, as_json: bool, **options: Unpack[RunOptions]) -> int:
    """Submit a job, follow it, and write the patches.

    The job is described by options, by JOB_FILE (the JSON that the API takes; `-` for standard input), or both. What
    runs on this machine already is used; otherwise everything needed is started, and stopped at the end.
    Repositories given by --repo and --repos are only read: a job works on their last commit.

    Ctrl-C cancels the job; pressed twice, it leaves at once. Workers that it started notice that and end within 20 s.
    If the job was not cancelled yet, it goes on at the next start.
    """
    job = apply_options(read_job_file(job_file), options)
    if job.sample:
        raise BadInput("`run` goes to the end, and a sample waits for an approval", hint="cody-batch submit --sample N")
    paths = _find_local(options)
    if paths:
        job = complete(job, repositories=tuple(f"local/{index}" for index in range(len(paths))))
    encode_job(job)  # says what is missing before anything is written or started
    return _run(environment, job, paths, options, as_json=as_json)


def _run(environment: Mapping[str, str], job: JobFile, paths: list[Path], options: RunOptions, *, as_json: bool) -> int:
    from cody_cli.job_report import print_report
    from cody_cli.open_system import Wish, check_before_start
    from cody_cli.run_job import RunPlan, run_job
    from cody_cli.stack_plan import plan_for_run

    progress_console = open_console(stderr=True)
    wish = Wish(
        environment=environment,
        plan=lambda: plan_for_run(
            environment, local=bool(paths), concurrency=options["concurrency"], repositories=len(job.repositories or ())
        ),
        local=bool(paths),
        concurrency=options["concurrency"],
        say=lambda line: progress_console.print(line, soft_wrap=True),
    )
    check_before_start(wish)
    local = register_repositories(DataFolder(environment).repositories, paths)
    job = complete(job, repositories=tuple(repository.name for repository in local)) if local else job
    plan = RunPlan(
        body=encode_job(job),
        key=secrets.token_hex(16),
        title=name_of(job),
        repositories=tuple(job.repositories or ()),
        local={repository.name: repository.path for repository in local},
        out=options["out"],
        branch=options["branch"],
        show=print_json if as_json else lambda report: print_report(report, open_console()),
    )
    return run_async(run_job(plan, wish, progress_console))


def _find_local(options: RunOptions) -> list[Path]:
    """The repositories of this machine, all checked; what is wrong with one is said before anything starts."""
    branch = options["branch"]
    paths = find_repositories(options["repo"], options["repos"])
    if branch is not None:
        if not paths:
            raise BadInput("--branch needs --repo or --repos: branches are made in repositories of this machine")
        check_branch_name(branch)
        for path in paths:
            check_branch_is_new(path, branch)
    for path in paths:
        if uncommitted_changes(path):
            tell(f"note: {path} has uncommitted changes; the job works on its last commit")
    return paths
