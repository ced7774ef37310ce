"""Every error is a problem, and none tells more than it should."""

import re

import httpx
import msgspec
import pytest
from litestar import Litestar
from msgspec.structs import replace

from cody_api.create_app import LARGEST_BODY, ROUTES, create_app
from cody_api.problems import Problem
from cody_api.settings import ApiSettings
from cody_jobs.errors import Unavailable
from cody_jobs.ports import Role
from tests.unit.cody_api.conftest import ClientFor, Logged
from tests.unit.cody_api.stand_ins import SECRET, backends_without_stores
from tests.unit.cody_api.stories import job_body

DATABASE = "postgresql://user:hunter2@db.internal"


def problem_of(answer: httpx.Response, status: int, code: str) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert problem.type == f"urn:cody-batch:problem:{code}"
    assert problem.title
    assert problem.instance == answer.request.url.raw_path.decode().split("?")[0]
    return problem


async def test_an_unknown_address_is_a_problem(bare_client: httpx.AsyncClient) -> None:
    assert "/docs" in problem_of(await bare_client.get("/nowhere%2F"), 404, "not_found").detail


async def test_a_method_that_is_not_possible_says_which_are(bare_client: httpx.AsyncClient) -> None:
    answer = await bare_client.delete("/jobs")
    problem_of(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


@pytest.mark.parametrize("path", sorted({path for route in ROUTES for path in route.paths}))
async def test_options_and_a_refusal_name_all_methods_of_every_path(
    bare_app: Litestar, client_for: ClientFor, path: str
) -> None:
    possible = {"OPTIONS"}.union(*(route.http_methods for route in ROUTES if path in route.paths))
    client = client_for(bare_app, None)
    address = re.sub("{[^}]+}", "x", path)
    answer = await client.options(address)
    assert answer.status_code == 204
    assert set(answer.headers["allow"].split(", ")) == possible
    assert set((await client.delete(address)).headers["allow"].split(", ")) == possible


async def test_an_unknown_job_is_a_problem(client: httpx.AsyncClient) -> None:
    for rest in ("", "/repositories", "/repositories/acme/web", "/repositories/acme/web/diff", "/trace", "/events"):
        answer = await client.get(f"/jobs/job-none{rest}")
        assert answer.json()["code"] in ("job_not_found", "run_not_found")
    for action in ("cancel", "retry"):
        problem_of(await client.post(f"/jobs/job-none/{action}"), 404, "job_not_found")


@pytest.mark.parametrize("job_id", ["%00", "a.b", "%C3%A9", "x" * 65])
async def test_what_cannot_be_a_job_is_not_even_looked_for(bare_client: httpx.AsyncClient, job_id: str) -> None:
    for rest in ("", "/repositories", "/repositories/acme/web", "/repositories/acme/web/diff", "/trace", "/events"):
        problem_of(await bare_client.get(f"/jobs/{job_id}{rest}"), 404, "job_not_found")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
async def test_a_body_that_is_not_sent_as_json_is_refused(bare_client: httpx.AsyncClient, kind: str) -> None:
    answer = await bare_client.post("/jobs", content=msgspec.json.encode(job_body()), headers={"Content-Type": kind})
    assert "application/json" in problem_of(answer, 415, "unsupported_media_type").detail


async def test_json_with_a_charset_is_json(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = await client.post("/jobs", content=msgspec.json.encode(job_body()), headers=headers)
    assert answer.status_code == 202


async def test_a_body_that_is_too_large_is_refused(bare_client: httpx.AsyncClient) -> None:
    body = b'{"name":"' + b"x" * LARGEST_BODY + b'"}'
    answer = await bare_client.post("/jobs", content=body, headers={"Content-Type": "application/json"})
    problem_of(answer, 413, "body_too_large")


def test_the_longest_job_fits_into_the_largest_body() -> None:
    names = [f"acme/{number:06}{'x' * 94}" for number in range(10_000)]
    body = msgspec.json.encode(job_body(*names, prompt="\U0001f600" * 100_000))
    assert len(body) < LARGEST_BODY


async def test_fields_that_are_wrong_are_listed_twenty_at_most(bare_client: httpx.AsyncClient) -> None:
    names = [f"other/r{number}" for number in range(30)]
    problem = problem_of(await bare_client.post("/jobs", json=job_body(*names)), 422, "repository_not_allowed")
    assert (len(problem.errors), problem.errors_left_out) == (20, 10)
    assert problem.errors[0].value == "other/r0"


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("status=DONE", "status")],
)
async def test_a_parameter_that_is_wrong_is_named(bare_client: httpx.AsyncClient, query: str, field: str) -> None:
    problem = problem_of(await bare_client.get(f"/jobs?{query}"), 400, "bad_parameter")
    assert [entry.field for entry in problem.errors] == [field]


async def test_a_cursor_that_is_not_ours_is_refused(client: httpx.AsyncClient) -> None:
    for cursor in ("nonsense", "", "%00", "x" * 600, "%C3%A9", "eyJvZiI6ImpvYnMifQ"):
        answer = await client.get(f"/jobs?cursor={cursor}")
        assert answer.status_code == 400, cursor
        assert "cursor" in answer.json()["detail"]


class Broken:
    """A store with a bug, or without a database."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def get_job(self, job_id: str) -> None:
        raise self._error


async def test_a_surprise_shows_an_id_and_the_log_has_the_rest(
    bare_settings: ApiSettings, client_for: ClientFor, logged: Logged
) -> None:
    broken = replace(backends_without_stores(Role.VIEWER), jobs=Broken(RuntimeError(f"lost {DATABASE}")))
    answer = await client_for(create_app(broken, bare_settings), SECRET).get("/jobs/job-1")
    problem = problem_of(answer, 500, "internal_error")
    assert "Traceback" not in answer.text
    assert "hunter2" not in answer.text
    assert isinstance(problem.error_id, str)
    assert problem.error_id in problem.detail
    (line,) = [line for line in logged() if line["event"] == "request_failed"]
    assert line["error_id"] == problem.error_id
    assert "RuntimeError: lost" in str(line["exception"])
    assert "hunter2" not in str(line)


async def test_a_dependency_that_is_away_is_503_with_a_time_to_come_back(
    bare_settings: ApiSettings, client_for: ClientFor
) -> None:
    away = Unavailable("PostgreSQL", f"cannot reach {DATABASE}", retry_after=7.2)
    broken = replace(backends_without_stores(Role.VIEWER), jobs=Broken(away))
    answer = await client_for(create_app(broken, bare_settings), SECRET).get("/jobs/job-1")
    problem_of(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "7"
    assert "hunter2" not in answer.text


async def test_every_answer_has_the_security_headers(bare_client: httpx.AsyncClient) -> None:
    for address in ("/health", "/nowhere", "/docs", "/jobs/%00", "/openapi.json"):
        headers = (await bare_client.get(address)).headers
        assert headers["x-content-type-options"] == "nosniff", address
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
