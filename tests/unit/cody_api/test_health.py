"""Alive is one thing, ready another."""

import asyncio

import httpx
from litestar import Litestar
from msgspec.structs import replace

from cody_api.create_app import create_app
from cody_api.settings import ApiSettings
from cody_jobs.errors import SettingsError, Unavailable
from cody_jobs.ports import Role
from tests.unit.cody_api.conftest import ClientFor
from tests.unit.cody_api.stand_ins import backends_without_stores


class Answers:
    async def ping(self) -> None:
        return None


class IsAway:
    async def ping(self) -> None:
        raise Unavailable("PostgreSQL", "postgresql://user:hunter2@db refused")


class NeverAnswers:
    async def ping(self) -> None:
        await asyncio.Event().wait()


async def test_health_looks_at_nothing_else(bare_client: httpx.AsyncClient) -> None:
    answer = await bare_client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_names_what_answers_and_how_fast(app: Litestar, client_for: ClientFor) -> None:
    answer = await client_for(app, None).get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    checks = answer.json()["checks"]
    assert [(check["name"], check["ok"], check["error"]) for check in checks] == [
        ("store", True, None),
        ("queue", True, None),
        ("results", True, None),
    ]
    assert all(check["latencyMs"] >= 0 for check in checks)


async def test_ready_names_what_fails_and_waits_for_nothing_for_ever(
    bare_settings: ApiSettings, client_for: ClientFor
) -> None:
    backends = replace(backends_without_stores(Role.VIEWER), jobs=Answers(), queue=IsAway(), results=NeverAnswers())
    answer = await client_for(create_app(backends, bare_settings), None).get("/health/ready")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (503, "not_ready")
    assert problem["detail"] == "Not answering: queue, results."
    assert [(check["name"], check["ok"]) for check in problem["checks"]] == [
        ("store", True),
        ("queue", False),
        ("results", False),
    ]
    assert "hunter2" not in answer.text
    assert answer.headers["retry-after"]


class IsGone:
    async def ping(self) -> None:
        raise SettingsError("DynamoDB in eu-central-1: table hunter2 is not there")


async def test_what_is_not_there_is_not_ready(bare_settings: ApiSettings, client_for: ClientFor) -> None:
    backends = replace(backends_without_stores(Role.VIEWER), jobs=IsGone(), queue=Answers(), results=Answers())
    answer = await client_for(create_app(backends, bare_settings), None).get("/health/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "Not answering: store.")
    assert "hunter2" not in answer.text
