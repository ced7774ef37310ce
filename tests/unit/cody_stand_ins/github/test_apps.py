"""GitHub Apps: tokens of installations, narrowed, and good for an hour."""

import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cody_stand_ins.github import GitHubStandIn

_PERMISSIONS = {"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write"}


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def installation(github: GitHubStandIn, key: rsa.RSAPrivateKey) -> int:
    """Of App 7, on acme/shop alone."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    await github.add_app(7, "cody", public.decode(), _PERMISSIONS)
    return await github.install(7, "acme", repositories=["acme/shop"])


def _as_app(key: rsa.RSAPrivateKey, **changes: Any) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": "7", "iat": now - 30, "exp": now + 540, **changes}
    return {"authorization": f"Bearer {jwt.encode(claims, key, algorithm='RS256')}"}


def _as_token(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def _token(http: httpx.AsyncClient, key: rsa.RSAPrivateKey, installation: int, **wishes: Any) -> httpx.Response:
    path = f"/app/installations/{installation}/access_tokens"
    return await http.post(path, headers=_as_app(key), json=wishes)


@pytest.mark.parametrize("path", ["/repos/acme/shop/installation", "/orgs/acme/installation"])
async def test_an_installation_is_found(
    path: str, http: httpx.AsyncClient, key: rsa.RSAPrivateKey, installation: int
) -> None:
    assert (await http.get(path, headers=_as_app(key))).json()["id"] == installation
    assert (await http.get("/app", headers=_as_app(key))).json()["slug"] == "cody"


@pytest.mark.usefixtures("installation")
async def test_where_it_is_not_installed_there_is_nothing(
    http: httpx.AsyncClient, github: GitHubStandIn, key: rsa.RSAPrivateKey
) -> None:
    await github.add_repository("acme/other", files={"a.py": ""})
    for path in ("/repos/acme/other/installation", "/users/somebody/installation"):
        assert (await http.get(path, headers=_as_app(key))).status_code == 404


@pytest.mark.parametrize(
    "changes", [{"exp": int(time.time()) + 3_600}, {"exp": int(time.time()) - 3_600}, {"iss": "8"}]
)
async def test_a_wrong_web_token_is_refused(
    changes: dict[str, Any], http: httpx.AsyncClient, key: rsa.RSAPrivateKey, installation: int
) -> None:
    assert (await http.get("/app", headers=_as_app(key, **changes))).status_code == 401
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert (await _token(http, other, installation)).status_code == 401


async def test_a_token_is_narrowed(
    http: httpx.AsyncClient, github: GitHubStandIn, key: rsa.RSAPrivateKey, installation: int
) -> None:
    await github.commit("acme/shop", "fix", {"a.py": "a = 2\n"})
    made = await _token(http, key, installation, repositories=["shop"], permissions={"contents": "read"})
    assert made.status_code == 201
    assert made.json()["permissions"] == {"metadata": "read", "contents": "read"}
    reader = _as_token(made.json()["token"])
    assert (await http.get("/repos/acme/shop/contents/a.py", headers=reader)).status_code == 200
    body = {"title": "t", "head": "fix", "base": "main"}
    refused = await http.post("/repos/acme/shop/pulls", headers=reader, json=body)
    assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    writer = _as_token((await _token(http, key, installation)).json()["token"])
    pull = (await http.post("/repos/acme/shop/pulls", headers=writer, json=body)).json()
    assert pull["user"]["login"] == "cody[bot]"
    for wish in ({"repositories": ["other"]}, {"permissions": {"workflows": "write"}}):
        assert (await _token(http, key, installation, **wish)).status_code == 422


async def test_a_token_ends(
    http: httpx.AsyncClient, github: GitHubStandIn, key: rsa.RSAPrivateKey, installation: int
) -> None:
    await github.set_token_life(0)
    token = (await _token(http, key, installation)).json()["token"]
    assert (await http.get("/repos/acme/shop", headers=_as_token(token))).status_code == 401


async def test_a_commit_of_the_app_is_verified(
    http: httpx.AsyncClient, key: rsa.RSAPrivateKey, installation: int
) -> None:
    headers = _as_token((await _token(http, key, installation)).json()["token"])
    git = "/repos/acme/shop/git"
    head = (await http.get(f"{git}/ref/heads/main", headers=headers)).json()["object"]["sha"]
    base = (await http.get(f"{git}/commits/{head}", headers=headers)).json()
    blob = (await http.post(f"{git}/blobs", headers=headers, json={"content": "a = 2\n"})).json()
    entry = {"path": "a.py", "mode": "100644", "type": "blob", "sha": blob["sha"]}
    wish = {"base_tree": base["tree"]["sha"], "tree": [entry]}
    tree = (await http.post(f"{git}/trees", headers=headers, json=wish)).json()
    commit = await http.post(
        f"{git}/commits", headers=headers, json={"message": "m", "tree": tree["sha"], "parents": [head]}
    )
    assert commit.json()["verification"]["verified"] is True
    sha = commit.json()["sha"]
    made = await http.post(f"{git}/refs", headers=headers, json={"ref": "refs/heads/fix", "sha": sha})
    assert made.status_code == 201
    moved = await http.patch(f"{git}/refs/heads/fix", headers=headers, json={"sha": head})
    assert moved.status_code == 422
    assert (await http.delete(f"{git}/refs/heads/fix", headers=headers)).status_code == 204
