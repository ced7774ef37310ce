"""The demo, as `./dev demo` starts it: a job on sample repositories, with the stand-in, and nothing left behind."""

import asyncio
import os
import sys
from pathlib import Path

import psutil

from tests.support.wait import wait_until

ROOT = Path(__file__).parents[3]


async def test_the_demo_shows_diffs_that_apply_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "API_PORT": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo", cwd=ROOT, env=environment, stdout=pipe, stderr=pipe
    )
    family: dict[int, psutil.Process] = {}
    done = asyncio.create_task(process.communicate(), name="demo")
    while not done.done():
        family |= {child.pid: child for child in psutil.Process().children(recursive=True) if _is_ours(child, tmp_path)}
        await asyncio.wait({done}, timeout=0.2)
    out, err = (text.decode() for text in done.result())
    assert process.returncode == 0, out + err
    assert "STAND-IN, not Claude" in out
    assert "+    paid_on: date | None = None" in out
    assert "git apply --check: 2 patches apply" in out
    assert "run_repository" in out
    assert len(family) >= 3
    await wait_until(lambda: not any(child.is_running() for child in family.values()), "all its programs ended", 30)
    assert _files(tmp_path) == []


def _is_ours(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("HOME") == str(folder)
    except psutil.Error:
        return False


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
