"""One job, told step by step."""

import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import msgspec
from rich.console import Console
from rich.json import JSON
from rich.rule import Rule

from cody_cli.api import Api, job_path, open_api, refusal
from cody_cli.coloured_diff import print_diff
from cody_cli.data_folder import DataFolder
from cody_cli.failures import EXIT_FAILED, EXIT_INTERRUPTED
from cody_cli.find_api import Address
from cody_cli.follow_job import follow_job
from cody_cli.git import GitFailed, git
from cody_cli.interrupts import interrupts
from cody_cli.job_report import JobReport, print_report
from cody_cli.local_repositories import LocalRepository, register_repositories
from cody_cli.progress import JobProgress
from cody_cli.progress_view import progress_view
from cody_cli.run_job import RunPlan, collect
from cody_cli.show_trace import print_steps
from cody_cli.stack import Stack, running_stack
from cody_cli.stack_plan import plan_for_run
from cody_cli.tables import plain_table
from cody_cli.views import JobView, TraceView
from cody_cli.words import count
from demo.claude import Answerer, open_claude
from demo.clean_end import temporary_data
from demo.sample_repositories import SAMPLES, make_samples

_WIDTH = 110
_OUR_SETTINGS = re.compile(
    r"(CODY|API|CLAUDE|ANTHROPIC|GIT|DATABASE|REPOSITOR|ALLOWED|PULL_REQUEST|CODE_HOST|LOG|WORKERS|FILES)_"
)
"""Settings of the user's own Cody Batch: the demo has a folder, a database and a port of its own."""
_PROMPT = (
    "Rewrite every `Optional[X]` of the typing module to `X | None`. Do not touch imports, and change nothing else."
)


async def show_demo(environment: Mapping[str, str]) -> int:
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    console.print("Cody Batch: one prompt, many repositories, reviewed diffs\n", style="bold")
    async with temporary_data() as folder, open_claude(environment) as claude:
        console.print(f"The answers come from {claude.description}\n", style=None if claude.real else "yellow")
        samples = make_samples(folder / "samples")
        _show_samples(samples, console)
        settings = {name: value for name, value in environment.items() if not _OUR_SETTINGS.match(name)}
        settings |= {"CODY_DATA": str(folder / "data"), **claude.environment}
        code = await _run(settings, samples, folder / "patches", claude, console)
    console.print("Everything is stopped, and the folder with the samples is gone.", style="dim")
    return code


async def _run(
    settings: Mapping[str, str], samples: Sequence[Path], patches: Path, claude: Answerer, console: Console
) -> int:
    data = DataFolder(settings)
    local = register_repositories(data.repositories, samples)
    with interrupts() as ctrl_c:
        async with running_stack(plan_for_run(settings, local=True), say=console.print) as stack:
            ctrl_c.at_once = stack.kill
            await _wait(stack, console)
            address = Address(url=stack.url, token=data.token())
            job_id = await _post_job(address, local, console)
            ctrl_c.listening = True
            async with open_api(address) as api:
                progress = JobProgress(job_id, [repository.name for repository in local])
                with progress_view(progress, "Optional[X] to X | None", console) as view:
                    await follow_job(api, progress, view, ctrl_c)
                report = await collect(_plan(local, patches), api, progress)
                await _show_results(report, api, claude, console)
        if ctrl_c.first.is_set():
            return EXIT_INTERRUPTED
    return 0 if _check(report, console) else EXIT_FAILED


async def _wait(stack: Stack, console: Console) -> None:
    with console.status("starting PostgreSQL, the API and the dispatcher"):
        await stack.wait_until_ready()
    console.print(f"\nPostgreSQL, the API and the dispatcher are up: {stack.url}")


async def _post_job(address: Address, local: Sequence[LocalRepository], console: Console) -> str:
    """As any integration would: JSON over HTTP."""
    job = {
        "name": "Optional[X] to X | None",
        "type": "code-pattern-update",
        "prompt": _PROMPT,
        "repositories": [repository.name for repository in local],
        "include": ["*.py"],
        "createPullRequests": False,
    }
    console.print("\nPOST /jobs", style="bold")
    console.print(JSON(msgspec.json.encode(job).decode()))
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as http:
        headers = {"Authorization": f"Bearer {address.token}"}
        response = await http.post("/jobs", json=job, headers=headers)
    if response.is_error:
        raise refusal(response)
    accepted = msgspec.json.decode(response.content, type=JobView)
    console.print(f"{response.status_code} {response.reason_phrase}: {accepted.id}\n", style="bold")
    return accepted.id


def _plan(local: Sequence[LocalRepository], patches: Path) -> RunPlan:
    return RunPlan(
        body=b"",
        key=secrets.token_hex(16),
        title="demo",
        repositories=tuple(repository.name for repository in local),
        local={repository.name: repository.path for repository in local},
        out=patches,
        branch=None,
        show=lambda _report: None,
    )


def _show_samples(samples: Sequence[Path], console: Console) -> None:
    table = plain_table("sample repository", "files", "what is in it")
    for path in samples:
        what, files = SAMPLES[path.name]
        table.add_row(f"local/{path.name}", str(len(files)), what)
    console.print(table)


async def _show_results(report: JobReport, api: Api, claude: Answerer, console: Console) -> None:
    print_report(report, console)
    for repository in report.repositories:
        if repository.patch is not None:
            console.print()
            print_diff(repository.repository, repository.patch.read_bytes(), console)
    console.print()
    console.print(Rule("where the time went: GET /jobs/{id}/trace", align="left", style="dim"))
    print_steps(await api.get(f"{job_path(report.job.id)}/trace", TraceView), console)


def _check(report: JobReport, console: Console) -> bool:
    """The proof: patches that apply, and sample repositories that are as they were."""
    written = [repository for repository in report.repositories if repository.patch is not None]
    problems = [problem for repository in written if (problem := _why_not(repository.path, repository.patch))]
    touched = [repository.repository for repository in report.repositories if _is_touched(repository.path)]
    for problem in problems:
        console.print(problem, style="red")
    if touched:
        console.print(f"changed by the job, which must never be: {', '.join(touched)}", style="red")
    if problems or touched or not written or not report.succeeded:
        console.print("\nThe demo FAILED.", style="bold red")
        return False
    console.print(f"git apply --check: {count(len(written), 'patch applies', 'patches apply')}", style="green")
    console.print("git status: the sample repositories are as they were", style="green")
    return True


def _why_not(path: str | None, patch: Path | None) -> str | None:
    assert path is not None
    assert patch is not None
    try:
        git(Path(path), "apply", "--check", "--index", str(patch))
    except GitFailed as error:
        return error.message
    return None


def _is_touched(path: str | None) -> bool:
    assert path is not None
    repository = Path(path)
    changed = git(repository, "status", "--porcelain").strip()
    return bool(changed) or git(repository, "branch", "--format=%(refname)").split() != [b"refs/heads/main"]
