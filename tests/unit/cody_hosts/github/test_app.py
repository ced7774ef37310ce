"""A GitHub App as identity."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cody_hosts.github.app import most_of, narrowed
from cody_hosts.github.credentials import Access
from cody_hosts.github.github import GitHub, open_github
from cody_hosts.settings import CodeHostKind, GitHubSettings, HostSettings
from cody_jobs.errors import JobFailed, SettingsError
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import Permission
from cody_stand_ins.github import GitHubStandIn
from cody_stand_ins.github.faults import Fault
from tests.unit.cody_hosts.github.conftest import TOKEN, Opened

APP = 7
GRANTED = {"contents": "write", "metadata": "read", "pull_requests": "write", "checks": "read"}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@pytest.fixture(scope="module")
def private_key(key: rsa.RSAPrivateKey) -> str:
    form, kind = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(form, kind, serialization.NoEncryption()).decode()


@pytest.fixture
async def app(stand_in: GitHubStandIn, key: rsa.RSAPrivateKey, private_key: str) -> AsyncGenerator[GitHub]:
    form, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    await stand_in.add_app(APP, "cody", key.public_key().public_bytes(form, kind).decode(), GRANTED)
    async with open_github(host(stand_in), app_settings(private_key), minute=1.0) as github:
        yield github


def host(stand_in: GitHubStandIn) -> HostSettings:
    return HostSettings(code_host=CodeHostKind.GITHUB, github_api_url=stand_in.api)


def app_settings(key: str) -> GitHubSettings:
    return GitHubSettings(github_app_id=str(APP), github_app_private_key=key)


async def test_what_an_app_may_do_is_what_its_installation_was_granted(app: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.install(APP, "acme")

    assert (await app.describe("acme/shop")).permission is Permission.WRITE


async def test_where_it_is_not_installed_it_says_so(app: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.add_repository("acme/other", files={"a": "1"})
    await stand_in.install(APP, "acme", repositories=["acme/other"])

    for _ in range(2):
        with pytest.raises(JobFailed, match="App 7 is not installed for acme/shop") as caught:
            await app.describe("acme/shop")
        assert caught.value.code == FailureCode.APP_NOT_INSTALLED
        await app.describe("acme/other")


async def test_one_token_serves_all_who_ask_at_once(app: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.install(APP, "acme")

    await asyncio.gather(*(app.branches.head("acme/shop", f"branch-{number}") for number in range(8)))

    paths = [one.path for one in await stand_in.log()]
    assert sum(path.endswith("/access_tokens") for path in paths) == 1
    assert sum(path.endswith("/installation") for path in paths) == 1


async def test_a_token_is_for_one_repository_and_one_use(app: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.install(APP, "acme")
    await stand_in.add_repository("acme/vault", files={"a": "1"}, private=True)

    tokens = [
        (await app.clone_source("acme/shop")).token,
        (await app.push_source("acme/shop")).token,
        (await app.clone_source("acme/vault")).token,
    ]

    assert len(set(tokens)) == 3
    assert (await app.clone_source("acme/shop")).token == tokens[0]


async def test_a_token_is_made_anew_before_it_expires(app: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.install(APP, "acme")
    await stand_in.set_token_life(200.0)

    first, second = [(await app.clone_source("acme/shop")).token for _ in range(2)]

    assert first != second


async def test_a_token_that_is_refused_is_made_anew_once(app: GitHub, stand_in: GitHubStandIn) -> None:
    number = await stand_in.install(APP, "acme")
    await app.describe("acme/shop")
    await stand_in.set_faults(Fault(status=401, path="/repos/acme/shop$", message="Bad credentials", times=1))

    assert (await app.describe("acme/shop")).name == "acme/shop"
    assert [one.path for one in await stand_in.log() if one.method == "POST"].count(
        f"/app/installations/{number}/access_tokens"
    ) == 2


async def test_an_owner_whose_app_is_missing_is_served_by_the_token(
    opened: Opened, app: GitHub, stand_in: GitHubStandIn, private_key: str
) -> None:
    del app
    settings = {"github_app_id": str(APP), "github_app_private_key": private_key}
    async with opened(TOKEN, **settings) as github:
        assert (await github.describe("acme/shop")).permission is Permission.WRITE


async def test_a_wrong_key_is_refused_without_showing_it(stand_in: GitHubStandIn, private_key: str) -> None:
    async with open_github(host(stand_in), app_settings(private_key)) as github:
        with pytest.raises(JobFailed) as caught:
            await github.describe("acme/shop")

    assert caught.value.code == FailureCode.CODE_HOST_TOKEN_REFUSED
    assert "the key of App 7" in caught.value.message


@pytest.mark.parametrize("key", ["nonsense-that-is-secret", "-----BEGIN RSA PRIVATE KEY-----\nabc\n"])
async def test_what_is_no_key_stops_the_start_and_does_not_show(stand_in: GitHubStandIn, key: str) -> None:
    with pytest.raises(SettingsError, match="GITHUB_APP_PRIVATE_KEY is no private key") as caught:
        async with open_github(host(stand_in), app_settings(key)):
            pass

    assert key not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_an_app_needs_both_its_id_and_its_key(stand_in: GitHubStandIn) -> None:
    with pytest.raises(SettingsError, match="needs both"):
        async with open_github(host(stand_in), GitHubSettings(github_app_id="7")):
            pass


def test_no_more_is_asked_for_than_is_needed_and_was_granted() -> None:
    assert narrowed(GRANTED, Access.CLONE) == {"contents": "read", "metadata": "read"}
    assert set(narrowed(GRANTED, Access.READ).values()) == {"read"}
    assert narrowed(GRANTED, Access.WRITE) == GRANTED
    assert narrowed({"contents": "read"}, Access.WRITE) == {"contents": "read"}


def test_an_app_may_open_pull_requests_only_where_it_may_do_both() -> None:
    assert most_of({"contents": "write"}) is Permission.READ
    assert most_of({"pull_requests": "write"}) is Permission.NONE
