"""`cody-batch run` from start to patches: the real programs, and a Claude that is a stand-in."""

import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in
from tests.support.repositories import GitRepository, apply_patch, make_repository, snapshot
from tests.support.wait import wait_until
from tests.unit.cody_cli.program import CodyBatch, running

PROMPT = "Rewrite every `Optional[X]` to `X | None`"
BEFORE = b"from typing import Optional\r\n\r\nx: Optional[int] = 1\r\n"
AFTER = b"from typing import Optional\r\n\r\nx: int | None = 1\r\n"


@pytest.fixture
async def claude() -> AsyncGenerator[ClaudeStandIn]:
    async with claude_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def runner(tmp_path: Path, claude: ClaudeStandIn) -> CodyBatch:
    """With an embedded database of its own."""
    return CodyBatch(tmp_path, {"CLAUDE_API_KEY": claude.key, "CLAUDE_BASE_URL": claude.url})


@pytest.fixture
def shared(runner: CodyBatch, database_url: str) -> CodyBatch:
    """On a database that is there already, where nobody wrote a token down."""
    return CodyBatch(runner.folder, {**runner.environment, "DATABASE_URL": database_url})


@pytest.fixture
def repositories(tmp_path: Path) -> dict[str, GitRepository]:
    folder = tmp_path / "repositories"
    return {
        "web": make_repository(folder / "web", {"a.py": BEFORE, "b.py": b"y = 2\n"}, bare=False),
        "docs": make_repository(folder / "docs.git", {"README.md": b"Hello\n"}),
    }


async def test_run_starts_what_it_needs_and_writes_patches_that_apply(
    runner: CodyBatch, repositories: dict[str, GitRepository], tmp_path: Path
) -> None:
    web = repositories["web"]
    base, before = web.resolve("main"), snapshot(web.path / ".git" / "refs" / "heads")
    ended = await runner.run(
        "run", "--repos", tmp_path / "repositories", "--prompt", PROMPT, "--include", "*.py", "--branch", "cody/x",
        "--concurrency", "4", "--out", "out", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    docs, changed = ended.json["repositories"]
    assert ended.json["job"]["status"] == "SUCCEEDED"
    assert (docs["repository"], docs["outcome"], docs["patch"]) == ("local/docs", "no_changes", None)
    assert (changed["repository"], changed["outcome"], changed["branch"]) == ("local/web", "patch", "cody/x")
    assert changed["costMicrousd"] > 0
    patch = tmp_path / "out" / "local__web.patch"
    assert changed["patch"] == str(patch)
    tree = apply_patch(web, base, patch.read_bytes(), tmp_path / "applied")
    assert (tmp_path / "applied" / "a.py").read_bytes() == AFTER
    assert web.resolve("cody/x^{tree}") == tree
    assert web.resolve("cody/x^") == base
    assert web.line("status", "--porcelain") == ""
    assert web.resolve("HEAD") == base
    assert snapshot(web.path / ".git" / "refs" / "heads") != before
    assert "local/web: 2 files to ask about, 0 skipped" in ended.err
    assert not (runner.folder / "data" / "api.json").exists()

    again = await runner.run("run", "--repo", web.path, "--prompt", PROMPT, "--branch", "cody/x")
    assert again.code == 2
    assert "has a branch 'cody/x' already" in again.err


async def test_a_refused_key_fails_the_job_with_its_reason_once(
    shared: CodyBatch, repositories: dict[str, GitRepository]
) -> None:
    paths = [f"--repo={repository.path}" for repository in repositories.values()]
    ended = await shared.run("run", *paths, "--prompt", PROMPT, environment={"CLAUDE_API_KEY": "wrong"})
    assert ended.code == 1
    assert "claude_key_refused" in ended.out
    assert "wrong" not in ended.err


async def test_ctrl_c_cancels_the_job_and_stops_everything(
    shared: CodyBatch, claude: ClaudeStandIn, repositories: dict[str, GitRepository]
) -> None:
    await claude.set_faults(latency=8.0)
    async with running(shared, "run", "--repo", repositories["web"].path, "--prompt", PROMPT, "--include", "*") as run:
        await run.until("2 files to ask about")
        family = psutil.Process(run.process.pid).children(recursive=True)
        assert await run.end(signal.SIGINT) == 130
    assert any(line.startswith("cancelling job-") for line in run.err)
    assert any("cancelled" in line for line in run.out)
    await _all_gone(family)


async def test_after_a_crash_of_everything_the_next_run_tells_of_the_unfinished_job(
    shared: CodyBatch, claude: ClaudeStandIn, repositories: dict[str, GitRepository]
) -> None:
    await claude.set_faults(latency=120.0)
    async with running(shared, "run", "--repo", repositories["web"].path, "--prompt", PROMPT, "--include", "*") as run:
        await run.until("2 files to ask about")
        family = psutil.Process(run.process.pid).children(recursive=True)
        for process in (psutil.Process(run.process.pid), *family):
            process.kill()
        await run.end()
    await _all_gone(family)
    await claude.reset()
    ended = await shared.run("run", "--repo", repositories["docs"].path, "--prompt", PROMPT)
    assert ended.code == 0, ended.err
    assert "continuing 1 unfinished job: job-" in ended.err


async def _all_gone(processes: list[psutil.Process]) -> None:
    await wait_until(
        lambda: not any(process.is_running() for process in processes), f"these have ended: {processes}", 40
    )


async def test_a_missing_key_is_said_before_anything_starts(
    cody: CodyBatch, repositories: dict[str, GitRepository]
) -> None:
    ended = await cody.run("run", "--repo", repositories["web"].path, "--prompt", PROMPT)
    assert ended.code == 1
    assert "There is no Claude key: nothing was started." in ended.err
    assert "CLAUDE_API_KEY" in ended.err
    assert not (cody.folder / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--prompt", "p"], {}, "no repositories were named"),
        (["--repo", "nowhere", "--prompt", "p"], {}, "nowhere: there is no such folder"),
        (["--repo", "WEB"], {}, "there is no prompt"),
        (["--repo", "WEB", "--prompt", "p", "--prompt-file", "f"], {}, "only one of them"),
        (["--repo", "WEB", "--prompt-file", "missing"], {}, "--prompt-file missing"),
        (["--repo", "WEB", "--prompt", "p", "--branch", "a b"], {}, "not a valid branch name"),
        (["--repo", "WEB", "--prompt", "p", "--concurrency", "0"], {}, "--concurrency"),
        (["--repo", "WEB", "--prompt", "p", "--type", "magic"], {}, "--type"),
        (["missing.json"], {}, "missing.json: No such file or directory"),
        (["--repo", "WEB", "--prompt", "p"], {"CODY_API_URL": "http://api.example"}, "cannot see repositories"),
        (["--repo", "WEB", "--prompt", "p"], {"REPOSITORIES_ROOT": "/srv/code"}, "REPOSITORIES_ROOT is /srv/code"),
    ],
)
async def test_bad_input_is_a_usage_error(
    cody: CodyBatch,
    repositories: dict[str, GitRepository],
    arguments: list[str],
    environment: dict[str, str],
    said: str,
) -> None:
    settled = [argument.replace("WEB", str(repositories["web"].path)) for argument in arguments]
    ended = await cody.run("run", *settled, environment=environment)
    assert ended.code == 2
    assert said in ended.err
    assert not (cody.folder / "data").exists()
