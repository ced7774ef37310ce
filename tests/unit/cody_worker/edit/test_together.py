"""Several files in one request: each succeeds or fails alone, and only what is missing is asked about again."""

from typing import Any

import pytest

from cody_jobs.models import FailureCode, JobType
from cody_jobs.outcomes import Edited, GaveUp, LeftAlone
from cody_worker.claude import ClaudeFailed, NoMoreAnswers, StopReason
from cody_worker.edit.edit_together import Together, edit_together
from cody_worker.edit.group_files import group_files
from cody_worker.edit_file import FileAnswer, FileQuestion
from cody_worker.windows import View
from tests.unit.cody_worker.edit.scripted import USAGE, DictRepository, Said, ScriptedClaude, edit_use, reply, use

PATHS = ("a.py", "b.py", "c.py")


def _file(path: str) -> Together:
    text = f"{path[0]} = old()\n"
    question = FileQuestion(
        path=path,
        data=text.encode(),
        prompt="Call new instead of old",
        job_type=JobType.CODE_PATTERN_UPDATE,
        model="claude-sonnet-5-5",
    )
    return Together(question=question, view=View.whole(text))


def _edit(path: str) -> dict[str, Any]:
    return edit_use(path, "old()", "new()", PATHS.index(path) + 1)


async def _ask(*script: Said) -> tuple[list[FileAnswer], ScriptedClaude]:
    claude = ScriptedClaude(*script)
    repository = DictRepository({"d.py": b"def old(): ...\n"})
    answers = {number: answer async for number, answer in edit_together(claude, list(map(_file, PATHS)), repository)}
    return [answers[number] for number in range(len(PATHS))], claude


async def test_one_reply_settles_all_files_and_is_counted_once() -> None:
    leave = use("leave_unchanged", 3, path="c.py", reason="no")
    answers, claude = await _ask(reply(_edit("a.py"), _edit("b.py"), leave))
    assert [answer.new_data for answer in answers] == [b"a = new()\n", b"b = new()\n", None]
    assert answers[2].outcome == LeftAlone(reason="no")
    assert [answer.calls for answer in answers] == [(USAGE,), (), ()]
    assert len(claude.requests) == 1
    assert all(f'path="{path}"' in claude.shown(0) for path in PATHS)


@pytest.mark.parametrize(
    "bad",
    [
        edit_use("b.py", "nowhere", "x", 2),
        use("edit_file", 2, path="b.py", edits="all"),
        use("leave_unchanged", 2, path="b.py", reason=""),
        edit_use("b.py", "old()", "old(", 2),
    ],
    ids=["no match", "no edits", "no reason", "broken syntax"],
)
async def test_a_bad_answer_about_one_file_is_asked_for_again_alone(bad: dict[str, Any]) -> None:
    answers, claude = await _ask(reply(_edit("a.py"), bad, _edit("c.py")), reply(edit_use("b.py", "old()", "new()")))
    assert [answer.new_data for answer in answers] == [b"a = new()\n", b"b = new()\n", b"c = new()\n"]
    assert [len(answer.calls) for answer in answers] == [1, 1, 0]
    assert "An earlier answer about this file could not be used" in claude.shown(1)
    assert "a.py" not in claude.shown(1)
    assert len(answers[1].thread.messages) == len(answers[0].thread.messages) + 2


async def test_a_missing_answer_is_asked_for_again_alone() -> None:
    answers, claude = await _ask(reply(_edit("a.py"), _edit("c.py")), reply(edit_use("b.py", "old()", "new()")))
    assert answers[1].new_data == b"b = new()\n"
    assert len(claude.requests) == 2


async def test_a_file_that_fails_fails_alone() -> None:
    failed = ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, "no", calls=(USAGE,))
    answers, _ = await _ask(reply(_edit("a.py"), _edit("c.py")), failed)
    assert [type(answer.outcome) for answer in answers] == [Edited, GaveUp, Edited]
    assert [len(answer.calls) for answer in answers] == [1, 1, 0]


async def test_an_edit_of_a_file_that_nobody_asked_about_spoils_the_whole_reply() -> None:
    strange = edit_use(".github/workflows/ci.yml", "a", "b", 9)
    alone = [reply(edit_use(path, "old()", "new()")) for path in PATHS]
    answers, claude = await _ask(reply(*map(_edit, PATHS), strange), *alone)
    assert len(claude.requests) == 4
    assert [answer.stages[0].path for answer in answers] == list(PATHS)


@pytest.mark.parametrize("stop", [StopReason.MAX_TOKENS, StopReason.REFUSAL, StopReason.CONTEXT_FULL])
async def test_of_a_reply_that_is_not_whole_nothing_is_used(stop: StopReason) -> None:
    alone = [reply(edit_use(path, "old()", "newer()")) for path in PATHS]
    answers, _ = await _ask(reply(*map(_edit, PATHS), stop=stop), *alone)
    assert [answer.new_data for answer in answers] == [b"a = newer()\n", b"b = newer()\n", b"c = newer()\n"]
    assert [len(answer.calls) for answer in answers] == [2, 1, 1]


async def test_a_look_for_one_file_is_answered_to_it_alone() -> None:
    look = use("see_more", 2, path="b.py", start_line=1, end_line=1)
    answers, claude = await _ask(reply(_edit("a.py"), look, _edit("c.py")), reply(edit_use("b.py", "old()", "new()")))
    assert answers[1].new_data == b"b = new()\n"
    assert "<lines-" in claude.shown(1)


async def test_what_stops_the_job_tells_what_was_paid_for() -> None:
    stop = NoMoreAnswers(FailureCode.CLAUDE_KEY_REFUSED, "no", calls=(USAGE,))
    with pytest.raises(NoMoreAnswers) as caught:
        await _ask(reply(_edit("b.py")), stop)
    assert caught.value.calls == (USAGE, USAGE)


def test_files_of_which_little_is_shown_share_a_request() -> None:
    assert list(group_files("abc", [100, 100, 100])) == [("a", "b", "c")]
    assert list(group_files("abc", [100, 7_000, 100])) == [("a",), ("b",), ("c",)]
    assert list(group_files("abcd", [5_000] * 4)) == [("a", "b", "c"), ("d",)]
    assert [len(group) for group in group_files(range(20), [10] * 20)] == [8, 8, 4]
