"""The plan of a job: brought with it, read, replaced while nobody works on it; and what may stand in one."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar

from cody_api.check_plan import parse_plan
from cody_api.job_request import parse_job_request
from cody_api.openapi import build_document
from cody_api.problems import ProblemError
from cody_api.replace_plan import replace_plan
from cody_backends.open_backends import Backends
from cody_jobs.errors import IllegalTransition
from cody_jobs.events import PlanEdited
from cody_jobs.models import RunOutcome
from cody_jobs.outcomes import ClaudeThread
from cody_jobs.plan import Example, Extent, JobPlan, Plan, PlanSource, Precondition
from cody_jobs.planning import FailedPlan, PlanRecord
from cody_jobs.ports import Role
from cody_jobs.reports import Facts, Remaining, RemainingLine, RunReport
from tests.unit.cody_api.conftest import ClientFor
from tests.unit.cody_api.stories import NOTHING, dispatch, finish, job_body, submit, succeeded

LEASE = timedelta(minutes=5)
JSON = {"content-type": "application/json"}
WHOLE: dict[str, Any] = {
    "include": ["*.py", "!/old/"],
    "exclude": ["tests/"],
    "languages": ["python"],
    "matches": [r"\bold\("],
    "leaveAlone": [{"reason": "frozen", "paths": [".frozen"], "pattern": "yes", "missing": True}],
    "extent": "matches",
    "change": "old() becomes new().",
    "example": {"before": "old(1)", "after": "new(1)"},
    "remaining": [r"\bold\("],
}
PLAN = Plan(
    include=("*.py", "!/old/"),
    exclude=("tests/",),
    languages=("python",),
    matches=(r"\bold\(",),
    leave_alone=(Precondition(reason="frozen", paths=(".frozen",), pattern="yes", missing=True),),
    extent=Extent.MATCHES,
    change="old() becomes new().",
    example=Example(before="old(1)", after="new(1)"),
    remaining=(r"\bold\(",),
)
TAKEN: list[dict[str, Any]] = [
    {},
    WHOLE,
    {"example": None, "leaveAlone": [{"reason": "r", "paths": ["a"]}]},
    {"leaveAlone": [{"reason": "r", "paths": ["a"], "pattern": None}]},
    {"change": "x" * 10_000, "matches": ["x" * 2_000] * 200, "remaining": NOTHING},
]
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"include": ["/"]}, "include[0]", "bad_pattern"),
    ({"include": "*.py"}, "include", "wrong_type"),
    ({"exclude": ["x"] * 201}, "exclude", "too_many_patterns"),
    ({"languages": ["python", "cobol"]}, "languages[1]", "unknown_language"),
    ({"matches": ["x", ""]}, "matches[1]", "bad_match"),
    ({"matches": ["x", 1]}, "matches[1]", "wrong_type"),
    ({"matches": ["x"] * 201}, "matches", "too_many_patterns"),
    ({"remaining": ["a\0"]}, "remaining[0]", "nul_character"),
    ({"extent": "some"}, "extent", "unknown_extent"),
    ({"change": "x" * 10_001}, "change", "text_too_long"),
    ({"change": "\0"}, "change", "nul_character"),
    ({"example": {"before": "a"}}, "example", "wrong_type"),
    ({"example": {"before": "a", "after": 1}}, "example.after", "wrong_type"),
    ({"example": {"before": "a", "after": "\0"}}, "example.after", "nul_character"),
    ({"leaveAlone": [{"reason": " ", "paths": ["a"]}]}, "leaveAlone[0].reason", "empty_reason"),
    ({"leaveAlone": [{"reason": "r", "paths": []}]}, "leaveAlone[0].paths", "no_paths"),
    ({"leaveAlone": [{"reason": "r", "paths": ["#"]}]}, "leaveAlone[0].paths[0]", "bad_pattern"),
    ({"leaveAlone": [{"reason": "r", "paths": ["a"], "pattern": ""}]}, "leaveAlone[0].pattern", "bad_match"),
    ({"leaveAlone": [{"reason": "r", "paths": ["a"], "x": 1}]}, "leaveAlone[0]", "wrong_type"),
    ({"leaveAlone": [{"reason": "r"}]}, "leaveAlone[0]", "wrong_type"),
    ({"match": "x"}, "match", "unknown_field"),
]  # fmt: skip


def refused_fields(body: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ProblemError) as of_plan:
        parse_plan(msgspec.json.encode(body))
    with pytest.raises(ProblemError) as of_job:
        parse_job_request(msgspec.json.encode(job_body(plan=body)), allowed=("*",))
    assert {of_plan.value.status, of_job.value.status} == {422}
    within = [(problem.field.removeprefix("plan."), problem.code) for problem in of_job.value.errors]
    own = [(problem.field, problem.code) for problem in of_plan.value.errors]
    assert own == within
    return own


@pytest.fixture
def schema(bare_app: Litestar) -> Any:
    document = msgspec.json.decode(build_document(bare_app))
    described = {"$ref": "#/components/schemas/PlanRequest", "components": document["components"]}
    return Draft202012Validator(described)


@pytest.mark.parametrize("body", TAKEN)
def test_a_plan_that_is_allowed_is_taken_alone_and_within_a_job(schema: Any, body: dict[str, Any]) -> None:
    assert schema.is_valid(body)
    job = parse_job_request(msgspec.json.encode(job_body(plan=body)), allowed=("*",))
    assert job.spec().plan == parse_plan(msgspec.json.encode(body))


@pytest.mark.parametrize(("body", "field", "code"), REFUSED)
def test_what_is_wrong_with_a_plan_is_named_by_its_place(
    schema: Any, body: dict[str, Any], field: str, code: str
) -> None:
    assert not schema.is_valid(body)
    assert refused_fields(body) == [(field, code)]


def test_an_expression_that_is_none_is_named() -> None:
    assert refused_fields({"matches": ["("]}) == [("matches[0]", "bad_match")]


def test_everything_that_is_wrong_is_named_at_once() -> None:
    assert len(refused_fields({"languages": ["cobol"], "extent": "some", "matches": ["("]})) == 3


def test_every_field_of_a_plan_arrives() -> None:
    assert parse_plan(msgspec.json.encode(WHOLE)) == PLAN


async def test_a_plan_is_put_before_the_job_runs_and_read_back(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client)
    early = await client.get(f"/jobs/{job_id}/plan")
    assert (early.status_code, early.json()["code"]) == (404, "result_not_found")
    put = await client.put(f"/jobs/{job_id}/plan", json=WHOLE)
    assert put.status_code == 200, put.text
    got = (await client.get(f"/jobs/{job_id}/plan")).json()
    assert got == put.json()
    assert (got["plan"], got["source"], got["model"], got["reusedFrom"]) == (WHOLE, "edited", None, None)
    events = await backends.results.read_events(job_id, after=0, limit=9)
    assert events[-1].body == PlanEdited(by="ci")


async def test_the_plan_of_a_running_job_stays(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    await backends.results.keep_plan(PlanRecord(job_id=job_id, plan=PLAN, source=PlanSource.PATTERNS))
    put = await client.put(f"/jobs/{job_id}/plan", json={})
    assert (put.status_code, put.json()["code"]) == (409, "illegal_transition")
    await backends.jobs.claim_run(job_id, "acme/web", owner="w", lease=LEASE)
    assert (await client.put(f"/jobs/{job_id}/plan", json={})).status_code == 409
    assert (await backends.results.get_plan(job_id)).plan == PLAN


async def test_whoever_puts_a_plan_in_the_moment_of_the_start_is_told(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await submit(client, "acme/web")

    class StartingMeanwhile:
        """Implements what is used of `ResultStore`."""

        async def put_plan(self, job_id: str, plan: Plan, *, by: str) -> JobPlan:
            await dispatch(backends, job_id)
            return await backends.results.put_plan(job_id, plan, by=by)

    with pytest.raises(IllegalTransition, match="in this very moment"):
        await replace_plan(backends.jobs, StartingMeanwhile(), job_id, PLAN, caller="ci")


async def test_a_plan_that_is_no_plan_is_refused(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client)
    address = f"/jobs/{job_id}/plan"
    assert (await client.put(address, json={"extent": "some"})).json()["errors"][0]["field"] == "extent"
    assert (await client.put(address, content=b"[]", headers=JSON)).json()["code"] == "malformed_json"
    assert (await client.put(address, content=b"{}")).status_code == 415
    assert (await client.put("/jobs/job-none/plan", json={})).json()["code"] == "job_not_found"


async def test_a_viewer_reads_plans_and_writes_none(
    app: Litestar, backends: Backends, client: httpx.AsyncClient, client_for: ClientFor
) -> None:
    job_id = await submit(client)
    await client.put(f"/jobs/{job_id}/plan", json={})
    viewer = client_for(app, await backends.tokens.create_token("eve", Role.VIEWER))
    assert (await viewer.get(f"/jobs/{job_id}/plan")).status_code == 200
    assert (await viewer.put(f"/jobs/{job_id}/plan", json={})).json()["code"] == "role_missing"


async def test_the_conversation_of_a_plan_can_be_read(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client)
    address = f"/jobs/{job_id}/plan/claude-thread"
    assert (await client.get(address)).status_code == 404
    thread = ClaudeThread(path="(plan)", model="claude-x", messages=())
    await backends.results.claim_plan(job_id, question="q", owner="w", attempt=1, lease=LEASE)
    await backends.results.fail_plan(FailedPlan(job_id=job_id, owner="w", attempt=1, failure=None, thread=thread))
    assert (await client.get(address)).json() == {"path": "(plan)", "model": "claude-x", "messages": []}


async def test_what_remains_in_a_repository_is_shown_with_it(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client, "acme/web", "acme/api")
    await dispatch(backends, job_id)
    report = RunReport(
        remaining=Remaining(total=1, lines=(RemainingLine(path="a.py", line=3, text="old(1)"),)),
        facts=Facts(candidates=1, languages={"python": 1}, bytes=9, matches=2),
    )
    await backends.results.put_report(job_id, "acme/web", report)
    await finish(backends, job_id, "acme/web", succeeded(RunOutcome.PATCH))
    shown = (await client.get(f"/jobs/{job_id}/repositories/acme/web")).json()["report"]
    assert shown["remaining"] == {"total": 1, "lines": [{"path": "a.py", "line": 3, "text": "old(1)"}]}
    assert shown["facts"]["matches"] == 2
    assert (await client.get(f"/jobs/{job_id}/repositories/acme/api")).json()["report"] is None
