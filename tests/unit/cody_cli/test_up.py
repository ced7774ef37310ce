"""`cody-batch up`, with the real programs and an embedded database."""

import signal

import msgspec
import psutil

from tests.support.repositories import make_repository
from tests.support.wait import wait_until
from tests.unit.cody_cli.program import CodyBatch, Running, running


def _family(command: Running) -> list[psutil.Process]:
    return psutil.Process(command.process.pid).children(recursive=True)


async def _all_gone(processes: list[psutil.Process]) -> None:
    await wait_until(
        lambda: not any(process.is_running() for process in processes), f"these have ended: {processes}", 40
    )


async def test_up_serves_until_ctrl_c_survives_a_crash_and_leaves_nothing_running(cody: CodyBatch) -> None:
    async with running(cody, "up", "--json") as up:
        announced = msgspec.json.decode(await up.until('"tokenFile"'))
        family = _family(up)
        assert announced["tokenFile"] == str(cody.folder / "data" / "token")
        assert (await cody.run("list", "--json")).json == {"items": [], "cursor": None}

        second = await cody.run("up")
        assert second.code == 1
        assert f"It serves at {announced['url']}" in second.err

        psutil.Process(announced["pids"]["api"]).kill()
        await up.until("api was ended by SIGKILL; it starts again")
        await wait_until(lambda: _lists(cody), "the API answers again", 30)
        family += _family(up)
        assert await up.end(signal.SIGINT) == 0
    assert "stopped" in up.err
    assert len(up.out) == 1
    await _all_gone(family)
    after = await cody.run("list")
    assert after.code == 1
    assert "cody-batch up" in after.err


async def _lists(cody: CodyBatch) -> bool:
    return (await cody.run("list", "--json")).code == 0


async def test_each_program_gets_only_the_credentials_that_are_its_own(cody: CodyBatch) -> None:
    shell = {"CLAUDE_API_KEY": "a-key", "GITHUB_TOKEN": "a-token", "AWS_SECRET_ACCESS_KEY": "a-secret"}
    async with running(cody, "up", "--json", environment=shell) as up:
        pids = msgspec.json.decode(await up.until('"tokenFile"'))["pids"]
        held = {name: shell.keys() & psutil.Process(pid).environ().keys() for name, pid in pids.items()}
        assert await up.end(signal.SIGINT) == 0
    assert held == {"api": set(), "dispatcher": {"CLAUDE_API_KEY"}}


async def test_a_wrong_setting_ends_it_at_once(cody: CodyBatch) -> None:
    ended = await cody.run("up", environment={"LOG_LEVEL": "LOUD"})
    assert ended.code == 1
    assert "LOG_LEVEL: 'LOUD' is wrong" in ended.err
    assert "ended with exit code 1" in ended.err
    assert "starts again" not in ended.err


async def test_when_it_is_killed_its_programs_end_too(cody: CodyBatch) -> None:
    async with running(cody, "up") as up:
        await up.until("Cody Batch serves at")
        assert "There is no Claude key" in await up.until("no Claude key")
        family = _family(up)
        assert await up.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(family) >= 2
    await _all_gone(family)


async def test_run_refuses_a_running_system_that_reads_another_folder(cody: CodyBatch) -> None:
    root = str(cody.folder / "elsewhere")
    repository = make_repository(cody.folder / "web", {"a.py": b"a = 1\n"})
    async with running(cody, "up", environment={"REPOSITORIES_ROOT": root}) as up:
        await up.until("Cody Batch serves at")
        refused = await cody.run("run", "--repo", repository.path, "--prompt", "p")
        assert await up.end(signal.SIGTERM) == 0
    assert refused.code == 1
    assert f"reads repositories from {root}" in refused.err
