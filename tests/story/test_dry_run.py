"""A dry run through the real programs, and then the real job: it costs what the dry run said."""

from pathlib import Path
from typing import Any

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import environment_for
from tests.story.system import running_system
from tests.support.repositories import make_repository

PROMPT = 'Replace "OLD" with "NEW"'
NAMES = ["acme/api", "acme/docs", "acme/web"]


async def test_a_dry_run_says_what_the_real_job_then_costs(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    for number, name in enumerate(NAMES):
        files = {f"src/f{file}.txt": _text(file + number) for file in range(4 + number)}
        make_repository(repositories / name, {**files, "README.md": b"Nothing of it.\n"})
    async with running_system(tmp_path, environment_for(database_url, stand_in, repositories)) as system:
        dry = await system.ended(await system.submit(NAMES, PROMPT, dryRun=True))
        asked_of_dry_run = dry["usage"]["calls"]
        runs = [await system.run(dry["id"], name) for name in NAMES]
        diff = await system.client.get(f"/jobs/{dry['id']}/repositories/acme/web/diff")
        real = await system.ended(await system.submit(NAMES, PROMPT))
        again = await system.ended(await system.submit(NAMES, PROMPT, dryRun=True))
    assert (dry["status"], dry["counts"]["estimated"]) == ("SUCCEEDED", 3)
    assert asked_of_dry_run == 1  # for the plan
    assert diff.json()["code"] == "diff_dry_run"
    assert [run["estimate"]["candidates"] for run in runs] == [4, 5, 6]
    assert (real["status"], real["counts"]["patches"]) == ("SUCCEEDED", 3)

    estimate, usage = dry["estimate"], real["usage"]
    assert estimate["counted"]
    assert _within(estimate["calls"], usage["calls"]), (estimate, usage)
    assert _within(estimate["costMicrousd"], usage["costMicrousd"]), (estimate, usage)
    assert _within(estimate["inputTokens"], _prompts(usage)), (estimate, usage)
    assert _within(estimate["outputTokens"], usage["outputTokens"]), (estimate, usage)

    assert (again["usage"]["calls"], again["estimate"]["candidates"], again["estimate"]["known"]) == (0, 0, 15)
    assert again["estimate"]["costMicrousd"] == {"low": 0, "expected": 0, "high": 0}


def _within(guess: dict[str, int], real: int) -> bool:
    return guess["low"] <= real <= guess["high"]


def _prompts(usage: dict[str, Any]) -> int:
    return usage["inputTokens"] + usage["cacheReadInputTokens"] + usage["cacheCreationInputTokens"]


def _text(number: int) -> bytes:
    """Long enough that little of it is shown."""
    lines = [f"line {line} of {number}: nothing to see here" for line in range(40 * (number + 1))]
    lines[20] = f"here is OLD {number} to be found"
    return "\n".join(lines).encode() + b"\n"
