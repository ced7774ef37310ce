"""What Claude's troubles lead to, seen from outside: limits and outages are waited out, a wrong key or model stops the
job with one error, a bad reply fails its file alone, and nothing is green without evidence."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind
from tests.story.conftest import environment_for
from tests.story.system import System, running_system
from tests.support.repositories import make_repository

PROMPT = "Rewrite Optional[X] to X | None."
FILES = 3


@pytest.fixture
def name(request: pytest.FixtureRequest, shared_repositories: Path) -> str:
    """A repository with three files that exist nowhere else: nothing is answered by an earlier test's outcome."""
    test = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:90].strip("-")
    files = {f"m{number}.py": f"# {test}\nx{number}: Optional[int] = None\n".encode() for number in range(FILES)}
    make_repository(shared_repositories / "acme" / test, files)
    return f"acme/{test}"


async def finished(system: System, name: str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ended job, and its only run."""
    job_id = await system.submit([name], PROMPT, **fields)
    job = await system.ended(job_id)
    return job, await system.run(job_id, name)


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.RATE_LIMIT,
        FaultKind.SERVER_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.OVERLOADED,
        FaultKind.ERROR_EVENT,
        FaultKind.CUT,
        FaultKind.ENDED_EARLY,
    ],
)
async def test_limits_and_outages_are_waited_out(
    kind: FaultKind, shared_system: System, shared_stand_in: ClaudeStandIn, name: str
) -> None:
    await shared_stand_in.set_faults(Fault(kind=kind, times=2))
    job, run = await finished(shared_system, name)
    assert (job["status"], run["outcome"], run["files"]["edited"]) == ("SUCCEEDED", "patch", FILES)
    assert sum((await shared_stand_in.stats()).by_fault.values()) == 2


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.BAD_REQUEST, "claude_bad_request"),
        (FaultKind.CUT_OFF, "claude_reply_cut_off"),
        (FaultKind.REFUSAL, "claude_refused"),
        (FaultKind.NOT_JSON, "claude_reply_unusable"),
        (FaultKind.UNKNOWN_TOOL, "claude_reply_unusable"),
        (FaultKind.TEXT_ONLY, "claude_reply_unusable"),
        (FaultKind.EMPTY, "claude_reply_unusable"),
        (FaultKind.WRONG_MATCH, "edit_not_applicable"),
        (FaultKind.AMBIGUOUS_MATCH, "edit_not_applicable"),
        (FaultKind.BROKEN_SYNTAX, "syntax_broken"),
    ],
)
async def test_a_bad_reply_fails_its_file_alone_and_is_never_applied(
    kind: FaultKind, code: str, shared_system: System, shared_stand_in: ClaudeStandIn, name: str
) -> None:
    await shared_stand_in.set_faults(Fault(kind=kind, path=r"m1\.py$"))
    job, run = await finished(shared_system, name)
    assert (job["status"], run["status"], run["failure"]["code"]) == ("FAILED", "FAILED", "files_failed")
    assert code in run["failure"]["message"]
    assert (run["files"]["edited"], run["files"]["failed"]) == (FILES - 1, 1)
    assert await shared_system.diff(job["id"], name) is None
    patch = await shared_system.diff(job["id"], name, partial=True)
    assert patch is not None
    assert b"m0.py" in patch
    assert b"m1.py" not in patch


@pytest.mark.parametrize(
    ("kind", "code"), [(FaultKind.KEY_REFUSED, "claude_key_refused"), (FaultKind.FORBIDDEN, "claude_key_refused")]
)
async def test_a_refused_key_stops_the_job_with_one_error(
    kind: FaultKind, code: str, shared_system: System, shared_stand_in: ClaudeStandIn, name: str
) -> None:
    await shared_stand_in.set_faults(Fault(kind=kind))
    job, run = await finished(shared_system, name)
    assert (job["status"], job["failure"]["code"], run["status"]) == ("FAILED", code, "CANCELLED")


async def test_an_unknown_model_stops_the_job_and_is_named(
    shared_system: System, shared_stand_in: ClaudeStandIn, name: str
) -> None:
    job, _ = await finished(shared_system, name, model="claude-nonesuch-1")
    assert (job["status"], job["failure"]["code"]) == ("FAILED", "claude_model_unknown")
    assert "claude-nonesuch-1" in job["failure"]["message"]


async def test_a_retry_asks_only_about_what_failed(
    shared_system: System, shared_stand_in: ClaudeStandIn, name: str
) -> None:
    await shared_stand_in.set_faults(Fault(kind=FaultKind.BAD_REQUEST, path=r"m1\.py$"))
    job, _ = await finished(shared_system, name)
    await shared_stand_in.reset()
    answer = await shared_system.client.post(f"/jobs/{job['id']}/retry")
    assert answer.status_code == 202, answer.text
    again = await shared_system.ended(job["id"])
    assert again["status"] == "SUCCEEDED"
    assert (await shared_stand_in.stats()).messages == 1


async def test_a_task_that_claude_cannot_do_is_no_green_patch(
    shared_system: System, shared_stand_in: ClaudeStandIn, name: str
) -> None:
    job_id = await shared_system.submit([name], "Translate the comments to Latin.")
    job = await shared_system.ended(job_id)
    run = await shared_system.run(job_id, name)
    assert (job["status"], run["outcome"]) == ("SUCCEEDED", "no_changes")
    assert "does not know" in run["reason"]
    assert await shared_system.diff(job_id, name) is None


@pytest.fixture
async def system_without_key(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> AsyncGenerator[System]:
    environment: Mapping[str, str] = environment_for(database_url, stand_in, repositories)
    without = {variable: value for variable, value in environment.items() if variable != "CLAUDE_API_KEY"}
    async with running_system(tmp_path, without) as running:
        yield running


async def test_a_missing_key_stops_the_job_and_says_which_variable_to_set(
    system_without_key: System, repositories: Path
) -> None:
    make_repository(repositories / "acme" / "web", {"a.py": b"x: Optional[int] = None\n"})
    job, run = await finished(system_without_key, "acme/web")
    assert (job["status"], job["failure"]["code"], run["status"]) == ("FAILED", "claude_key_missing", "CANCELLED")
    assert "CLAUDE_API_KEY" in job["failure"]["message"]
