"""Who may call what."""

from datetime import UTC, datetime
from typing import cast

import httpx
import pytest
from litestar import Litestar
from msgspec.structs import replace

from cody_api.auth import TokenCheck
from cody_api.create_app import create_app
from cody_api.settings import ApiSettings, AuthMode, check_settings, is_loopback
from cody_backends.open_backends import Backends
from cody_backends.settings import BackendSettings
from cody_jobs.errors import SettingsError
from cody_jobs.ports import ApiToken, Role, TokenStore
from tests.unit.cody_api.conftest import ClientFor
from tests.unit.cody_api.stand_ins import SECRET, backends_without_stores
from tests.unit.cody_api.stories import job_body

READING = [
    "/jobs",
    "/jobs/job-1",
    "/jobs/job-1/repositories",
    "/jobs/job-1/repositories/a/b",
    "/jobs/job-1/trace",
    "/jobs/job-1/events",
    "/jobs/job-1/repositories/a/b/diff",
    "/jobs/job-1/repositories/a/b/claude-thread",
]
CHANGING = ["/jobs", "/jobs/job-1/cancel", "/jobs/job-1/retry"]


@pytest.mark.parametrize("address", READING)
async def test_nothing_is_shown_without_a_token(bare_app: Litestar, client_for: ClientFor, address: str) -> None:
    answer = await client_for(bare_app, None).get(address)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("address", CHANGING)
async def test_nothing_is_changed_without_a_token(bare_app: Litestar, client_for: ClientFor, address: str) -> None:
    assert (await client_for(bare_app, None).post(address, json=job_body())).status_code == 401


@pytest.mark.parametrize("address", ["/health", "/openapi.json", "/docs", "/docs/page.js"])
async def test_health_and_documentation_ask_for_none(bare_app: Litestar, client_for: ClientFor, address: str) -> None:
    assert (await client_for(bare_app, None).get(address)).status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer nope", "Bearer", "Basic Zm9vOmJhcg==", "Bearer " + "x" * 300, "Bearer a\tb"]
)
async def test_a_token_that_is_not_ours_is_refused(bare_app: Litestar, client_for: ClientFor, header: str) -> None:
    answer = await client_for(bare_app, None).get("/jobs", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_a_viewer_sees_but_does_not_submit(bare_settings: ApiSettings, client_for: ClientFor) -> None:
    viewer = client_for(create_app(backends_without_stores(Role.VIEWER), bare_settings), SECRET)
    assert (await viewer.get("/jobs/%00")).status_code == 404
    for address in CHANGING:
        answer = await viewer.post(address, json=job_body())
        assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")
        assert "submitter" in answer.json()["detail"]
        assert "'eve'" in answer.json()["detail"]


async def test_an_admin_may_do_what_a_submitter_may(app: Litestar, backends: Backends, client_for: ClientFor) -> None:
    admin = client_for(app, await backends.tokens.create_token("root", Role.ADMIN))
    assert (await admin.post("/jobs", json=job_body())).json()["submittedBy"] == "root"


async def test_a_revoked_token_stops_once_it_is_looked_at_again(backends: Backends) -> None:
    now = 0.0
    check = TokenCheck(backends.tokens, clock=lambda: now)
    secret = await backends.tokens.create_token("ci", Role.VIEWER)
    assert await check.find(secret)
    await backends.tokens.revoke_token("ci")
    now = 4.9
    assert await check.find(secret)
    now = 5.1
    assert await check.find(secret) is None
    now = 0.0
    assert await check.find(secret) is None


class EverySecret:
    """Knows every secret but one."""

    def __init__(self) -> None:
        self.looks = 0

    async def find_token(self, secret: str) -> ApiToken | None:
        self.looks += 1
        if secret == "bad":
            return None
        return ApiToken(name=secret, role=Role.VIEWER, created_at=datetime.now(UTC), revoked_at=None)


async def test_good_tokens_are_remembered_up_to_a_number_and_bad_ones_never() -> None:
    tokens = EverySecret()
    check = TokenCheck(cast("TokenStore", tokens), clock=lambda: 0.0)
    for _ in range(3):
        assert await check.find("good")
    assert tokens.looks == 1
    for _ in range(3):
        assert await check.find("bad") is None
    assert tokens.looks == 4
    for number in range(1_000):
        await check.find(f"other-{number}")
    await check.find("good")
    assert tokens.looks == 1_005


@pytest.fixture
def without_tokens(bare_settings: ApiSettings) -> Litestar:
    return create_app(backends_without_stores(Role.VIEWER), replace(bare_settings, api_auth=AuthMode.NONE))


async def test_without_authentication_everybody_is_admin(
    backends: Backends, settings: ApiSettings, client_for: ClientFor
) -> None:
    app = create_app(backends, replace(settings, api_auth=AuthMode.NONE))
    answer = await client_for(app, None).post("/jobs", json=job_body())
    assert (answer.status_code, answer.json()["submittedBy"]) == (202, "anonymous")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "origin_not_allowed"),
        ({"Origin": "null"}, "origin_not_allowed"),
        ({"Origin": "http://evil.example:8080", "Host": "evil.example:8080"}, "host_not_allowed"),
        ({"Host": "evil.example"}, "host_not_allowed"),
    ],
)
async def test_without_authentication_no_web_page_may_call(
    without_tokens: Litestar, client_for: ClientFor, headers: dict[str, str], code: str
) -> None:
    answer = await client_for(without_tokens, None).post("/jobs/job-1/cancel", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://127.0.0.1:8080"}, {"Host": "localhost:9"}, {"Host": "[::1]:9"}]
)
async def test_without_authentication_our_own_page_may_call(
    without_tokens: Litestar, client_for: ClientFor, headers: dict[str, str]
) -> None:
    assert (await client_for(without_tokens, None).get("/jobs/%00", headers=headers)).status_code == 404


async def test_pages_of_listed_origins_may_call_and_read_what_they_need(
    bare_settings: ApiSettings, client_for: ClientFor
) -> None:
    app = create_app(
        backends_without_stores(Role.VIEWER), replace(bare_settings, cors_origins=("https://ops.example",))
    )
    client = client_for(app, None)
    asked = {"Origin": "https://ops.example", "Access-Control-Request-Method": "POST"}
    preflight = await client.options("/jobs", headers=asked | {"Access-Control-Request-Headers": "authorization"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://ops.example"
    refused = await client.get("/jobs", headers={"Origin": "https://ops.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://ops.example")
    assert "Location" in refused.headers["access-control-expose-headers"]
    stranger = await client.get("/jobs", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers


async def test_without_listed_origins_no_page_elsewhere_may_read(bare_client: httpx.AsyncClient) -> None:
    answer = await bare_client.get("/jobs/%00", headers={"Origin": "https://ops.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ApiSettings(api_host="0.0.0.0"), "API_HOST"),
        (ApiSettings(api_host="api.example"), "DATABASE_URL"),
        (ApiSettings(cors_origins=("ops.example",)), "CORS_ORIGINS"),
        (ApiSettings(cors_origins=("https://ops.example/",)), "CORS_ORIGINS"),
        (ApiSettings(cors_origins=("*",), api_auth=AuthMode.NONE), "API_AUTH"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(settings: ApiSettings, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        check_settings(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_addresses_are_fine_with_the_embedded_database(host: str) -> None:
    assert is_loopback(host)
    check_settings(ApiSettings(api_host=host))


def test_with_a_database_url_others_may_connect() -> None:
    check_settings(ApiSettings(api_host="0.0.0.0", backend=BackendSettings(database_url="postgresql://db/x")))
