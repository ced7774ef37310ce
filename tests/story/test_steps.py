"""Jobs of several steps through the real programs: codemod, edit, verify and judge, under a cap; a sample first."""

import shutil
import sys
from pathlib import Path

import pytest

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import environment_for
from tests.story.system import running_system
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

PROMPT = 'Replace "OLD" with "NEW"'
CODEMOD = "import pathlib; p = pathlib.Path('a.txt'); p.write_text(p.read_text().replace('first', 'FIRST'))"
VERIFY = "import sys; text = open('a.txt').read(); sys.exit('a.txt:1: OLD is left' if 'OLD' in text else 0)"


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
async def test_a_codemod_an_edit_a_check_and_a_judge_make_one_patch(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    make_repository(repositories / "acme" / "web", {"a.txt": b"first OLD\n"})
    steps = [
        {"kind": "codemod", "argv": [sys.executable, "-c", CODEMOD]},
        {"kind": "edit"},
        {"kind": "verify", "argv": [sys.executable, "-c", VERIFY]},
    ]
    async with running_system(tmp_path, environment_for(database_url, stand_in, repositories)) as system:
        job_id = await system.submit(["acme/web"], PROMPT, steps=steps, judge="decides", maxCostUsd=5)
        job = await system.ended(job_id)
        run = await system.run(job_id, "acme/web")
        patch = await system.diff(job_id, "acme/web")
    assert job["status"] == "SUCCEEDED"
    assert patch is not None
    assert b"+FIRST NEW" in patch
    report = run["report"]
    assert [(check["onBase"], check["exitCode"]) for check in report["checks"]] == [(False, 0), (True, 1), (False, 0)]
    assert report["verdict"]["meets"]
    assert report["remaining"] == {"total": 0, "lines": []}


async def test_a_cap_that_is_met_ends_the_job_with_what_is_done(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    names = [f"acme/r{number}" for number in range(4)]
    for name in names:
        make_repository(repositories / name, {f"f{number}.txt": b"OLD %d\n" % number for number in range(4)})
    async with running_system(tmp_path, environment_for(database_url, stand_in, repositories)) as system:
        job_id = await system.submit(names, PROMPT, match="OLD", maxCostUsd=0.0001)
        job = await system.ended(job_id)
        runs = [await system.run(job_id, name) for name in names]
    assert job["status"] == "FAILED"
    assert job["usage"]["costMicrousd"] <= 100
    assert [run["failure"]["code"] for run in runs] == ["cost_cap_reached"] * 4


async def test_a_sample_waits_for_its_approval(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    names = [f"acme/r{number}" for number in range(5)]
    for number, name in enumerate(names):
        make_repository(repositories / name, {"a.txt": b"OLD\n" * (number + 1)})
    async with running_system(tmp_path, environment_for(database_url, stand_in, repositories)) as system:
        job_id = await system.submit(names, PROMPT, sample=2)

        async def waits() -> bool:
            return (await system.job(job_id))["status"] == "AWAITING_APPROVAL"

        await wait_until(waits, "the sample is done", 60)
        sampled = await system.job(job_id)
        assert (sampled["counts"]["succeeded"], sampled["counts"]["queued"]) == (2, 3)
        assert len(sampled["sample"]["chosen"]) == 2
        await system.approve(job_id)
        job = await system.ended(job_id)
    assert (job["status"], job["counts"]["patches"]) == ("SUCCEEDED", 5)
