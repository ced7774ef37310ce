"""`cody-batch plan`: shown for people and programs, replaced by a file or in an editor; and what remained after it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.cody_cli import samples
from tests.unit.cody_cli.fake_api import Answer, FakeApi, Request, as_json, problem
from tests.unit.cody_cli.program import CodyBatch

PLAN = "/jobs/job-1/plan"
WHOLE = {
    "include": ["*.py"],
    "exclude": ["tests/"],
    "languages": ["python"],
    "matches": [r"\bold\["],
    "leaveAlone": [{"reason": "frozen", "paths": [".frozen"], "pattern": None, "missing": True}],
    "extent": "matches",
    "change": "old() becomes new().",
    "example": {"before": "old(1)", "after": "new(1)"},
    "remaining": [r"\bold\["],
}
MADE = {"plan": WHOLE, "source": "claude", "model": "claude-x", "reusedFrom": "job-0", "at": samples.AT}
NOT_YET = problem(404, "result_not_found", "the plan of job job-1 is not made yet")


class StoredPlan:
    """Takes what is put, and gives it back."""

    def __init__(self, api: FakeApi) -> None:
        self.made: dict[str, Any] = MADE
        api.answer(f"GET {PLAN}", lambda _: as_json(self.made))
        api.answer(f"PUT {PLAN}", self._put)

    def _put(self, request: Request) -> Answer:
        self.made = {**MADE, "plan": msgspec.json.decode(request.body), "source": "edited", "reusedFrom": None}
        return as_json(self.made)


@pytest.fixture
def stored(api: FakeApi) -> StoredPlan:
    return StoredPlan(api)


def editor(folder: Path, command: str) -> dict[str, str]:
    """An EDITOR that does this to the file, which is `$1`."""
    program = folder / "editor.sh"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    return {"EDITOR": str(program)}


async def test_a_plan_is_shown_for_people(client: CodyBatch, stored: StoredPlan) -> None:
    shown = await client.run("plan", "job-1")
    assert shown.code == 0, shown.err
    assert "made by claude-x, for job-0" in shown.out
    for text in ("*.py", r"\bold\[", "no .frozen: frozen", "old() becomes new().", "-old(1)", "+new(1)"):
        assert text in shown.out


async def test_json_is_the_plan_as_the_api_has_it(client: CodyBatch, stored: StoredPlan) -> None:
    assert (await client.run("plan", "job-1", "--json")).json == MADE


async def test_a_plan_that_is_not_made_yet_is_no_plan(client: CodyBatch, api: FakeApi) -> None:
    api.answer(f"GET {PLAN}", NOT_YET)
    shown = await client.run("plan", "job-1")
    assert (shown.code, shown.err) == (1, "error: the plan of job job-1 is not made yet\n")


async def test_a_plan_is_replaced_by_a_file_or_by_standard_input(client: CodyBatch, stored: StoredPlan) -> None:
    (client.folder / "plan.json").write_text('{"matches": ["new"]}')
    shown = await client.run("plan", "job-1", "--set", "plan.json", "--json")
    assert (shown.json["plan"], shown.json["source"]) == ({"matches": ["new"]}, "edited")
    shown = await client.run("plan", "job-1", "--set", "-", stdin=b'{"languages": ["go"]}')
    assert "languages" in shown.out
    assert stored.made["plan"] == {"languages": ["go"]}
    assert (await client.run("plan", "job-1", "--set", "nowhere.json")).code == 2


async def test_a_plan_is_edited(client: CodyBatch, stored: StoredPlan) -> None:
    changes = editor(client.folder, """sed -i 's/"python"/"go"/' "$1" """)
    shown = await client.run("plan", "job-1", "--edit", environment=changes)
    assert shown.code == 0, shown.err
    assert stored.made["plan"] == {**WHOLE, "languages": ["go"]}


async def test_an_editor_that_changes_nothing_replaces_nothing(
    client: CodyBatch, api: FakeApi, stored: StoredPlan
) -> None:
    shown = await client.run("plan", "job-1", "--edit", environment=editor(client.folder, ":"))
    assert (shown.code, shown.err) == (0, "nothing was changed\n")
    assert {request.method for request in api.requests} == {"GET"}


async def test_what_was_written_and_refused_is_not_lost(client: CodyBatch, api: FakeApi) -> None:
    api.answer(f"GET {PLAN}", NOT_YET)
    api.answer(f"PUT {PLAN}", problem(422, "bad_match", "matches[0]: is not a Python regular expression"))
    changes = editor(client.folder, """echo '{"matches": ["("]}' > "$1" """)
    shown = await client.run("plan", "job-1", "--edit", environment=changes)
    assert shown.code == 1
    assert "cody-batch plan job-1 --set job-1.plan.json" in shown.err
    assert (client.folder / "job-1.plan.json").read_text() == '{"matches": ["("]}\n'


async def test_an_editor_that_fails_is_said(client: CodyBatch, stored: StoredPlan) -> None:
    shown = await client.run("plan", "job-1", "--edit", environment=editor(client.folder, "exit 3"))
    assert shown.code == 1
    assert "--set FILE" in shown.err


async def test_the_conversation_that_made_a_plan_is_shown(client: CodyBatch, api: FakeApi) -> None:
    thread = {"path": "(plan)", "model": "claude-x", "messages": [{"role": "user", "content": "the task"}]}
    api.answer(f"GET {PLAN}/claude-thread", as_json(thread))
    assert "the task" in (await client.run("plan", "job-1", "--thread")).out
    assert (await client.run("plan", "job-1", "--thread", "--json")).json == thread
    assert (await client.run("plan", "job-1", "--thread", "--edit")).code == 2


async def test_a_job_is_submitted_with_its_own_plan(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(), 202))
    (client.folder / "plan.json").write_text('{"matches": ["a"], "new": 1}')
    (client.folder / "broken.json").write_text("[]")
    options = ("submit", "--prompt", "do it", "--repository", "acme/web", "--plan")
    assert (await client.run(*options, "plan.json")).code == 0
    assert msgspec.json.decode(api.requests[0].body)["plan"] == {"matches": ["a"], "new": 1}
    refused = await client.run(*options, "broken.json")
    assert refused.code == 2
    assert "--plan broken.json" in refused.err


async def test_show_tells_what_remains_in_a_repository(client: CodyBatch, api: FakeApi) -> None:
    lines = [{"path": "a.py", "line": number, "text": f"old({number})"} for number in range(1, 31)]
    report = {"remaining": {"total": 40, "lines": lines}}
    done: dict[str, object] = {"remaining": {"total": 0, "lines": ()}}
    api.answer(
        "GET /jobs/job-1/repositories/acme/web",
        as_json(samples.run_detail(report=report)),
        as_json(samples.run_detail(report=done)),
    )
    shown = await client.run("show", "job-1", "acme/web")
    assert "remaining: 40 lines still matched" in shown.out
    assert "  a.py:20: old(20)" in shown.out
    assert "a.py:21" not in shown.out
    assert "… and 20 more" in shown.out
    assert "nothing remains" in (await client.run("show", "job-1", "acme/web")).out
