"""What Claude may do and see besides an edit: other files, looks, reports; and what cuts a conversation short."""

import pytest
from msgspec.structs import replace

from cody_jobs.models import FailureCode, JobType
from cody_jobs.outcomes import Edited, FileOutcome, Finding, GaveUp, LeftAlone, Look, NewFile, Reported, Severity
from cody_jobs.plan import Extent, Plan
from cody_worker.claude import ClaudeFailed, PromptTooLong
from cody_worker.edit.look_around import is_still_so
from cody_worker.edit_file import FileAnswer, FileQuestion, edit_file
from tests.unit.cody_worker.edit.scripted import USAGE, DictRepository, Said, ScriptedClaude, edit_use, reply, use

QUESTION = FileQuestion(
    path="src/a.py",
    data=b"import b\nx = b.old()\n",
    prompt="Rename old to new; move or delete files where that is needed",
    job_type=JobType.CODE_PATTERN_UPDATE,
    model="claude-sonnet-5-5",
)
REPOSITORY = DictRepository({"src/a.py": QUESTION.data, "src/b.py": b"def old(): ...\n"})
EDIT = edit_use("src/a.py", "b.old()", "b.new()")
LEAVE = use("leave_unchanged", path="src/a.py", reason="no")


async def ask(*script: Said, question: FileQuestion = QUESTION) -> tuple[FileAnswer, ScriptedClaude]:
    claude = ScriptedClaude(*script)
    return await edit_file(claude, question, REPOSITORY), claude


def failure(outcome: FileOutcome) -> FailureCode:
    assert isinstance(outcome, GaveUp), outcome
    return outcome.failure.code


async def test_a_new_file_comes_with_the_edit_that_needs_it() -> None:
    create = use("create_file", 2, path="src/c.py", content="y = 1\n", for_path="src/a.py")
    answer, _ = await ask(reply(EDIT, create))
    assert isinstance(answer.outcome, Edited)
    assert answer.outcome.created == (NewFile(path="src/c.py", text="y = 1\n"),)
    assert [(stage.path, stage.content) for stage in answer.stages] == [
        ("src/a.py", b"import b\nx = b.new()\n"),
        ("src/c.py", b"y = 1\n"),
    ]


async def test_a_file_is_moved_with_its_edits() -> None:
    answer, _ = await ask(reply(EDIT, use("rename_file", 2, path="src/a.py", new_path="src/c.py")))
    assert isinstance(answer.outcome, Edited)
    assert [(stage.path, stage.content, stage.like) for stage in answer.stages] == [
        ("src/a.py", None, None),
        ("src/c.py", b"import b\nx = b.new()\n", "src/a.py"),
    ]


async def test_a_file_is_deleted() -> None:
    answer, _ = await ask(reply(use("delete_file", path="src/a.py", reason="unused")))
    assert (answer.outcome, answer.new_data) == (Edited(edits=(), deleted=True), None)
    assert [(stage.path, stage.content) for stage in answer.stages] == [("src/a.py", None)]


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ((use("delete_file", path="src/a.py", reason="x"),), FailureCode.GUARD_HIT),
        ((use("rename_file", path="src/a.py", new_path="src/c.py"),), FailureCode.GUARD_HIT),
        ((EDIT, use("create_file", 2, path=".github/workflows/x.yml", content="on: push\n")), FailureCode.GUARD_HIT),
        ((EDIT, use("create_file", 2, path="../x.py", content="x\n")), FailureCode.GUARD_HIT),
        ((EDIT, use("create_file", 2, path="src/b.py", content="x = 1\n")), FailureCode.EDIT_NOT_APPLICABLE),
        ((EDIT, use("create_file", 2, path="src/a.py", content="x = 1\n")), FailureCode.CLAUDE_REPLY_UNUSABLE),
    ],
)
async def test_other_files_are_changed_only_where_they_may(blocks: tuple[dict[str, object], ...], code: str) -> None:
    question = replace(QUESTION, prompt="Call new instead of old")
    answer, claude = await ask(reply(*blocks), reply(*blocks), question=question)
    assert failure(answer.outcome) == code
    assert answer.stages == ()
    assert "Nothing was changed" in claude.shown(1)


async def test_a_refusal_by_its_tool_says_why() -> None:
    answer, _ = await ask(reply(use("refuse", path="src/a.py", reason="It is malware.")))
    assert failure(answer.outcome) is FailureCode.CLAUDE_REFUSED
    assert isinstance(answer.outcome, GaveUp)
    assert "It is malware." in answer.outcome.failure.message


async def test_other_files_and_searches_are_shown_and_remembered() -> None:
    looks = reply(use("read_file", path="src/b.py"), use("search", 2, text="b.old()", paths=""))
    answer, claude = await ask(looks, reply(EDIT))
    assert "def old(): ..." in claude.shown(1)
    assert "src/a.py:2: x = b.old()" in claude.shown(1)
    assert isinstance(answer.outcome, Edited)
    assert [seen.look for seen in answer.outcome.seen] == [Look.FILE, Look.SEARCH]
    assert [await is_still_so(REPOSITORY, seen) for seen in answer.outcome.seen] == [True, True]
    changed = DictRepository({**REPOSITORY.files, "src/b.py": b"def old(x): ...\n"})
    assert [await is_still_so(changed, seen) for seen in answer.outcome.seen] == [False, True]
    gone = DictRepository({"src/a.py": QUESTION.data})
    assert [await is_still_so(gone, seen) for seen in answer.outcome.seen] == [False, True]


async def test_looks_are_bounded_and_the_same_one_twice_ends_it() -> None:
    look = reply(use("read_file", path="src/b.py"))
    answer, claude = await ask(look, look)
    assert failure(answer.outcome) is FailureCode.CONVERSATION_STUCK
    assert len(claude.requests) == 2


async def test_a_conversation_without_an_end_is_cut() -> None:
    looks = [reply(use("search", text=f"old{number}", paths="")) for number in range(20)]
    answer, claude = await ask(*looks)
    assert failure(answer.outcome) is FailureCode.CONVERSATION_STUCK
    assert len(claude.requests) == len(answer.calls) == 10
    assert "You have looked at enough" in claude.shown(9)


async def test_a_conversation_that_takes_very_long_is_cut() -> None:
    slow = replace(reply(use("read_file", path="src/b.py")), calls=(replace(USAGE, latency_ms=1_000_000),))
    answer, _ = await ask(slow, reply(EDIT))
    assert failure(answer.outcome) is FailureCode.CONVERSATION_STUCK


async def test_more_of_a_file_is_shown_and_then_edited() -> None:
    lines = [f"line_{number} = {number}" for number in range(1, 501)]
    lines[249] = "x = old()"
    question = replace(
        QUESTION,
        data="\n".join(lines).encode(),
        plan=Plan(extent=Extent.MATCHES, matches=("old",)),
        matches=((250, 250),),
    )
    edits = use("edit_file", path="src/a.py", edits=[{"old_text": "line_9 = 9", "new_text": "line_9 = 8"}])
    answer, claude = await ask(
        reply(use("see_more", path="src/a.py", start_line=8, end_line=10)), reply(edits), question=question
    )
    assert "line_9 = 9" not in claude.shown(0)
    assert "line_8 = 8\nline_9 = 9\nline_10 = 10" in claude.shown(1)
    assert answer.new_data == question.data.replace(b"line_9 = 9", b"line_9 = 8")


async def test_what_is_too_long_is_asked_about_in_parts_and_put_together() -> None:
    functions = "".join(f"def f{number}():\n    return old({number})\n\n\n" for number in range(40))
    question = replace(QUESTION, data=functions.encode())
    too_long = PromptTooLong(FailureCode.CLAUDE_BAD_REQUEST, "prompt is too long")
    edits = [edit_use("src/a.py", f"old({number})", f"new({number})") for number in (3, 33)]
    answer, claude = await ask(too_long, *[reply(edit) for edit in edits], question=question)
    assert answer.new_data == functions.replace("old(3)", "new(3)").replace("old(33)", "new(33)").encode()
    assert len(claude.requests) == 3
    assert "old(33)" not in claude.shown(1)
    assert "old(3)" not in claude.shown(2)


async def test_what_is_too_long_and_cannot_be_cut_has_failed() -> None:
    too_long = PromptTooLong(FailureCode.CLAUDE_BAD_REQUEST, "prompt is too long")
    answer, _ = await ask(too_long)
    assert failure(answer.outcome) is FailureCode.CLAUDE_BAD_REQUEST


async def test_an_analysis_reports_and_has_no_way_to_edit() -> None:
    question = replace(QUESTION, job_type=JobType.CODE_ANALYSIS)
    report = use(
        "report", path="src/a.py", findings=[{"line": 2, "severity": "warning", "text": "old call"}], summary="One."
    )
    answer, claude = await ask(reply(EDIT), reply(report), question=question)
    finding = Finding(line=2, severity=Severity.WARNING, text="old call")
    assert answer.outcome == Reported(findings=(finding,), reason="One.")
    assert answer.stages == ()
    assert "there is no tool 'edit_file'" in claude.shown(1)
    assert b"edit_file" not in bytes(claude.requests[0].tools)


async def test_what_a_file_has_cost_is_known_when_a_look_fails() -> None:
    answer, _ = await ask(reply(use("read_file", path="b")), ClaudeFailed(FailureCode.CLAUDE_UNAVAILABLE, "no"))
    assert answer.calls == (USAGE,)


async def test_a_file_that_says_what_is_to_be_done_is_still_left_to_claude() -> None:
    answer, _ = await ask(reply(LEAVE))
    assert answer.outcome == LeftAlone(reason="no")
