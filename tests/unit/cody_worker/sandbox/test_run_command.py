"""What is told of a command: its exit code, its output as it came, and why it ended."""

import os
import secrets
from pathlib import Path

import pytest

from cody_worker.sandbox.bounded_output import BoundedOutput
from cody_worker.sandbox.command import CommandLimits, CommandRunner, EndReason
from cody_worker.sandbox.find_sandbox import NoSandbox, choose_runner
from cody_worker.sandbox.work_folder import WorkFolder
from tests.support.sandboxes import LIMITS, make_work_folder, processes_with, sandbox_or_skip


@pytest.fixture(params=["sandbox", "without"])
async def runner(request: pytest.FixtureRequest, tmp_path: Path) -> CommandRunner:
    if request.param == "sandbox":
        return await sandbox_or_skip(tmp_path)
    return choose_runner(NoSandbox(reason="a test"), allow_unsandboxed=True, path=os.environ["PATH"])


@pytest.fixture
def folder(tmp_path: Path) -> WorkFolder:
    return make_work_folder(tmp_path / "work")


async def test_output_and_errors_come_in_their_order(runner: CommandRunner, folder: WorkFolder) -> None:
    result = await runner.run(["sh", "-c", "echo one; echo two >&2; echo three; exit 3"], folder, LIMITS)

    assert (result.output, result.exit_code, result.reason) == ("one\ntwo\nthree\n", 3, EndReason.EXITED)
    assert not result.truncated
    assert not result.succeeded


async def test_a_command_works_in_the_tree_and_is_told_what_it_is_told(
    runner: CommandRunner, folder: WorkFolder
) -> None:
    (folder.tree / "a").write_text("in the tree")
    argv = ["sh", "-c", 'cat a; pwd; echo "$EXTRA $CI $LANG"; touch "$HOME/h" "$TMPDIR/t"; cat']
    result = await runner.run(argv, folder, LIMITS, {"EXTRA": "extra"})

    assert result.output.splitlines() == [f"in the tree{runner.tree_in_output(folder)}", "extra 1 C.UTF-8"]
    assert (folder.home / "h").exists()
    assert (folder.temporary / "t").exists()


async def test_a_program_that_is_not_there_is_named(runner: CommandRunner, folder: WorkFolder) -> None:
    for argv, reason in ((["no-such-program"], EndReason.NOT_FOUND), (["./no-such-script"], EndReason.EXITED)):
        result = await runner.run(argv, folder, LIMITS)
        assert (result.reason, result.exit_code) == (reason, 127)
        assert argv[0] in result.output


@pytest.mark.parametrize(
    ("script", "exit_code", "reason"),
    [("kill -9 $$", 137, EndReason.KILLED), ("kill -24 $$", 152, EndReason.CPU_LIMIT), ("kill -15 $$", 143, "exited")],
)
async def test_a_signal_is_told(
    runner: CommandRunner, folder: WorkFolder, script: str, exit_code: int, reason: str
) -> None:
    result = await runner.run(["sh", "-c", script], folder, LIMITS)

    assert (result.exit_code, result.reason) == (exit_code, reason)


async def test_both_ends_of_a_long_output_are_kept_and_secrets_are_not(
    runner: CommandRunner, folder: WorkFolder
) -> None:
    script = "echo ghp_0123456789012345678901234567890; seq 100000; echo the end"
    result = await runner.run(["sh", "-c", script], folder, CommandLimits(output_bytes=4_000))

    assert result.output.startswith("[secret]\n1\n2\n")
    assert result.output.endswith("100000\nthe end\n")
    assert "bytes are left out]" in result.output
    assert result.truncated
    assert result.succeeded
    assert len(result.output) < 4_100


async def test_a_daemon_goes_with_its_command(runner: CommandRunner, folder: WorkFolder) -> None:
    mark = f"mark-{secrets.token_hex(8)}"
    script = f"setsid sh -c 'sleep 600; : {mark}' >/dev/null 2>&1 & echo started"
    result = await runner.run(["sh", "-c", script], folder, LIMITS)

    assert result.output == "started\n"
    assert not processes_with(mark)


def test_a_character_is_not_cut_in_two() -> None:
    for size in range(20, 60):
        output = BoundedOutput(16)
        for byte in ("é日𝄞" * 10).encode()[:size]:
            output.add(bytes([byte]))
        assert output.truncated == (size > 16)
        head, _, tail = output.text().partition("\n")
        assert "�" not in head
        assert tail.count("�") <= 1  # the very end of the output is as it was


def test_output_within_its_bound_is_kept_as_it_is() -> None:
    output = BoundedOutput(16)
    output.add(b"0123456789")
    output.add(b"abcdef")

    assert (output.text(), output.truncated) == ("0123456789abcdef", False)
