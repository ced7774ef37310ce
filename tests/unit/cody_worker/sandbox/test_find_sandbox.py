"""A worker knows at its start whether it can run commands, and says what to do where it cannot."""

import os
import shutil
from pathlib import Path

import pytest
import structlog

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.sandbox.bubblewrap import Sandbox
from cody_worker.sandbox.find_sandbox import NoSandbox, choose_runner, find_sandbox
from cody_worker.sandbox.system_folders import find_folders, is_within, search_path
from cody_worker.sandbox.unsandboxed import Unsandboxed
from cody_worker.sandbox.walls import Walls
from tests.support.sandboxes import LIMITS, make_work_folder

NONE = NoSandbox(reason="bubblewrap (the program bwrap) is not installed")


def path_with(folder: Path, bwrap: str) -> str:
    """A PATH on which this script is bubblewrap."""
    folder.mkdir(exist_ok=True)
    (folder / "bwrap").write_text(f"#!/bin/sh\n{bwrap}\n")
    (folder / "bwrap").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


async def test_without_bubblewrap_there_is_no_sandbox(tmp_path: Path) -> None:
    assert await find_sandbox(path=str(tmp_path)) == NONE


async def test_a_bubblewrap_that_does_not_work_here_is_no_sandbox(tmp_path: Path) -> None:
    path = path_with(tmp_path / "bin", "echo bwrap: No permissions to create new namespace >&2; exit 1")

    found = await find_sandbox(path=path)

    assert isinstance(found, NoSandbox)
    assert "No permissions to create new namespace" in found.reason
    assert os.listdir(tmp_path) == ["bin"]  # noqa: PTH208 (names alone)


REFUSED = {
    "an older bubblewrap": ("*--disable-userns*", Walls(no_more_namespaces=False)),
    "no host name": ("*--hostname*", Walls(own_name=False)),
    "a container": (
        "*--disable-userns*|*--hostname*|*--proc*",
        Walls(no_more_namespaces=False, own_name=False, own_proc=False),
    ),
}


@pytest.mark.parametrize("where", REFUSED)
async def test_bubblewrap_is_used_as_far_as_it_goes_and_what_is_missing_is_told(where: str, tmp_path: Path) -> None:
    pattern, walls = REFUSED[where]
    real = shutil.which("bwrap")
    if real is None or isinstance(await find_sandbox(path=os.environ["PATH"]), NoSandbox):
        pytest.skip("no sandbox on this machine")
    script = f'case "$*" in {pattern}) echo refused >&2; exit 1;; esac; exec {real} "$@"'

    with structlog.testing.capture_logs() as logged:
        found = await find_sandbox(path=path_with(tmp_path / "bin", script))

    assert isinstance(found, Sandbox)
    assert found.walls == walls
    (told,) = [line for line in logged if line["event"] == "sandbox_found"]
    assert (told["log_level"], told["own_proc"]) == ("warning", walls.own_proc)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("bubblewrap (the program bwrap) is not installed", "Install it"),
        ("bwrap: No permissions to create new namespace, likely because", "seccomp profile"),
        ("bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*", "user namespaces"),
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns"),
        ("bwrap: Failed to make / slave: Permission denied", "AppArmor"),
        ("bwrap: anything else", "where bubblewrap works"),
    ],
)
def test_whoever_has_no_sandbox_is_told_what_helps(reason: str, hint: str) -> None:
    with pytest.raises(JobFailed) as caught:
        choose_runner(NoSandbox(reason=reason), allow_unsandboxed=False, path="/bin")

    assert reason in caught.value.message
    assert hint in caught.value.message
    assert "ALLOW_UNSANDBOXED_COMMANDS=true" in caught.value.message


async def test_commands_are_refused_without_a_sandbox_unless_an_operator_allows_them(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match=r"is not installed.*ALLOW_UNSANDBOXED_COMMANDS=true") as caught:
        choose_runner(NONE, allow_unsandboxed=False, path=os.environ["PATH"])
    assert (caught.value.code, caught.value.retryable) == (FailureCode.SANDBOX_MISSING, False)

    with structlog.testing.capture_logs() as logged:
        runner = choose_runner(NONE, allow_unsandboxed=True, path=os.environ["PATH"])
    assert [(line["event"], line["log_level"]) for line in logged] == [("commands_run_without_a_sandbox", "warning")]
    assert (await runner.run(["true"], make_work_folder(tmp_path / "work"), LIMITS)).succeeded


async def test_a_sandbox_is_used_whatever_else_is_allowed() -> None:
    sandbox = Sandbox(program="bwrap", folders=find_folders(more=[], hidden=[]), path="/bin")

    assert choose_runner(sandbox, allow_unsandboxed=True, path="/bin") is sandbox
    assert isinstance(choose_runner(NONE, allow_unsandboxed=True, path="/bin"), Unsandboxed)


def test_folders_of_people_are_not_shown() -> None:
    folders = find_folders(more=[], hidden=[])

    for path in ("/root/.aws", "/home/somebody", "/var/lib", "/run/secrets", "/tmp/x", "/etc/shadow", "/etc", "/"):
        assert not folders.shows(path)


def test_more_folders_bring_their_programs(tmp_path: Path) -> None:
    (tmp_path / "tool/bin").mkdir(parents=True)
    more = [str(tmp_path / "tool")]
    folders = find_folders(more=more, hidden=[str(tmp_path / "tool/bin"), str(tmp_path)])

    assert folders.hidden[-1] == str(tmp_path / "tool/bin")
    assert search_path(find_folders(more=more, hidden=[]), path="/x", more=more).startswith(f"{more[0]}/bin:")
    assert "/sbin" not in search_path(folders, path="/nowhere/bin", more=more).split(":")[:1]


def test_a_name_that_begins_alike_is_not_within() -> None:
    assert is_within("/opt/x", ["/opt"])
    assert not is_within("/optional", ["/opt"])
