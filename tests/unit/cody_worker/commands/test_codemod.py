"""Codemods change the work tree, and what they changed is part of the run's commit."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cody_jobs.models import FailureCode
from cody_worker.commands.codemod import CodemodFailed, Codemods, CodemodsDone, run_codemods
from cody_worker.git.work_tree import ChangeKind
from cody_worker.sandbox.command import CommandLimits, CommandRunner, EndReason
from tests.support.git_children import EVERYTHING, GitWork, commit
from tests.support.repositories import make_repository
from tests.support.sandboxes import LIMITS

FILES = {"a.py": b"import old\r\nold.call(1)\r\n", "b.py": b"old.call( 2 )\n", "tools/fix.py": b""}


async def done(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path, *codemods: Sequence[str], limits: CommandLimits = LIMITS
) -> Codemods:
    """The codemods' outcome; nothing is left of their work folder."""
    source = make_repository(tmp_path / "source", FILES)
    async with git_work.open(source.path) as target:
        await target.checkout()
        outcome = await run_codemods(runner, target, codemods, limits, scratch=str(git_work.scratch))
    assert not list(git_work.scratch.iterdir())
    return outcome


async def test_ast_grep_a_script_and_a_formatter_work_on_one_tree(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    source = make_repository(tmp_path / "source", FILES)
    rewrite = ("ast-grep", "run", "-p", "old.call($A)", "-r", "new.call($A)", "-l", "python", "-U", ".")
    script = (
        "from pathlib import Path\n"
        "for path in Path('.').glob('*.py'):\n"
        "    path.write_bytes(path.read_bytes().replace(b'import old', b'import new'))\n"
        "Path('made.py').write_text('x = 1\\n')\n"
    )
    formatter = ("sed", "-i", "s/call( 2 )/call(2)/", "b.py")
    async with git_work.open(source.path) as target:
        await target.checkout()
        outcome = await run_codemods(runner, target, [rewrite, ("python", "-c", script), formatter], LIMITS)
        scope = await target.scope(EVERYTHING)
        contents = {file.path: await target.read_file(file.path) for file in scope.candidates}
        patch = await commit(target, {})

    assert isinstance(outcome, CodemodsDone)
    assert [result.exit_code for result in outcome.results] == [0, 0, 0]
    assert [(change.path, change.kind) for change in outcome.changes] == [
        ("a.py", ChangeKind.CHANGED),
        ("b.py", ChangeKind.CHANGED),
        ("made.py", ChangeKind.CREATED),
    ]
    assert contents == {
        "a.py": b"import new\r\nnew.call(1)\r\n",
        "b.py": b"new.call(2)\n",
        "made.py": b"x = 1\n",
    }
    assert patch.files_changed == 3
    stored = json.loads(msgspec.json.encode(outcome.results))
    assert stored[0].keys() == {"argv", "exitCode", "seconds", "output", "truncated", "reason"}


async def test_a_codemod_that_changes_nothing_is_fine(runner: CommandRunner, git_work: GitWork, tmp_path: Path) -> None:
    nothing = ("ast-grep", "run", "-p", "gone($A)", "-r", "x($A)", "-l", "python", "-U", ".")

    outcome = await done(runner, git_work, tmp_path, nothing, ("true",))

    assert isinstance(outcome, CodemodsDone)
    assert (outcome.changes, outcome.summary) == ((), "the codemods changed nothing")


async def test_a_codemod_that_fails_is_told_and_nothing_of_it_is_taken(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    bad = ("sh", "-c", "echo x > a.py; echo working; echo 'error: no such rule' >&2; exit 4")

    outcome = await done(runner, git_work, tmp_path, ("true",), bad, ("touch", "never"))

    assert isinstance(outcome, CodemodFailed)
    assert len(outcome.results) == 2
    assert outcome.failure.code is FailureCode.CODEMOD_FAILED
    assert "ended with exit code 4: working\nerror: no such rule" in outcome.failure.message


async def test_a_codemod_that_takes_too_long_or_is_not_there_is_told(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    limits = CommandLimits(seconds=0.3)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    slow = await done(runner, git_work, tmp_path / "one", ("sleep", "60"), limits=limits)
    missing = await done(runner, git_work, tmp_path / "other", ("no-such-codemod",))

    assert isinstance(slow, CodemodFailed)
    assert slow.results[0].reason is EndReason.TIME_LIMIT
    assert "codemod sleep 60 was ended after 0 s (time limit)" in slow.failure.message
    assert isinstance(missing, CodemodFailed)
    assert "no-such-codemod could not be started" in missing.failure.message


async def test_what_no_commit_may_hold_fails_the_codemods(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    outcome = await done(runner, git_work, tmp_path, ("ln", "-s", "/etc/passwd", "link"))

    assert isinstance(outcome, CodemodFailed)
    assert "'link' cannot be taken: it is a symbolic link that leaves" in outcome.failure.message
