"""Credentials in added lines. The tokens are made here, so that this file holds none."""

import base64
import hashlib
import uuid

import pytest

from cody_worker.guards import Finding, GuardName
from tests.unit.cody_worker.guards.changes import findings, found


def _random(characters: int) -> str:
    """Letters of both cases and digits, the same at every run."""
    digest = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(1 + characters // 30))
    return base64.b64encode(digest).decode().replace("+", "a").replace("/", "B")[:characters]


_HEX = hashlib.sha256(b"x").hexdigest()
_UPPER = base64.b32encode(hashlib.sha256(b"x").digest()).decode()
_WEB_TOKEN = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256"}', b'{"sub":"somebody"}', b"s" * 32)
)
_SECRETS = {
    "aws": "AKIA" + _UPPER[:16],
    "github": "ghp_" + _random(36),
    "github fine": "github_pat_" + _random(60),
    "gitlab": "glpat-" + _random(20),
    "slack": "xoxb-" + _random(40),
    "anthropic": "sk-ant-" + _random(40),
    "openai": "sk-" + _random(48),
    "google": "AIza" + _random(35),
    "stripe": "sk_live_" + _random(24),
    "npm": "npm_" + _random(36),
    "pypi": "pypi-" + _random(80),
    "hugging face": "hf_" + _random(34),
    "key": "-----BEGIN RSA PRIVATE KEY-----",
    "new key": "-----BEGIN PRIVATE KEY-----",
    "ssh key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "web token": _WEB_TOKEN,
}


def _found(line: str, path: str = "a.rb") -> list[Finding]:
    return found(GuardName.SECRET_ADDED, path, "a\nb\nc\n", f"a\n{line}\nc\n")


@pytest.mark.parametrize("secret", _SECRETS.values(), ids=_SECRETS)
def test_a_known_shape_is_found_and_not_told_further(secret: str) -> None:
    (finding,) = _found(f"key = '{secret}'")
    assert finding.line == 2
    assert secret not in finding.message
    assert secret[10:] not in finding.message
    assert found(GuardName.SECRET_ADDED, "a.rb", f"x = '{secret}'\n", f"y = '{secret}'\n") == []
    assert found(GuardName.SECRET_ADDED, "a.rb", f"x = '{secret}'\n", "") == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", f'password = "{_random(24)}"'),
        ("a.py", f'API_KEY: str = "{_random(32)}"'),
        ("a.py", f'{{"client_secret": "{_random(32)}"}}'),
        ("a.py", f'os.environ["AUTH_TOKEN"] = "{_HEX}"'),
        ("a.js", f"const token = `{_random(32)}`;"),
        ("a.rb", f":secret_key => '{_random(32)}'"),
        ("a.go", f'apiKey := "{_random(32)}"'),
        (".env", f"DB_PASSWORD={_random(24)}"),
        ("a.yaml", f"  accessKey: {_random(40)}"),
        ("a.py", f'url = "postgres://user:{_random(16)}1@db.internal/x"'),
    ],
)
def test_a_random_value_with_the_name_of_a_secret_is_found(path: str, line: str) -> None:
    (finding,) = _found(line, path)
    assert _random(16) not in finding.message
    assert _HEX not in finding.message


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", 'password = os.environ["DATABASE_PASSWORD"]'),
        ("a.py", 'password = "correct horse battery staple"'),
        ("a.py", 'token = "your-token-goes-here-please"'),
        ("a.py", 'API_KEY = "<your api key here please>"'),
        ("a.py", "secret = get_secret_value(name_of_secret)"),
        ("a.py", 'secret_name = "production/database/password"'),
        ("a.py", 'TOKEN_URL = "https://login.example.com/oauth2/v2/token"'),
        ("a.py", f'digest = "{_HEX}"'),
        ("a.py", f'request_id = "{uuid.UUID(int=5)}"'),
        ("a.py", 'key = "AKIAIOSFODNN7EXAMPLE"'),
        ("a.py", 'key = "sk-some-words-that-are-only-words-really"'),
        ("a.yaml", "password: ${DATABASE_PASSWORD_FROM_ENVIRONMENT}"),
        ("a.yaml", "tokenReviewInterval: everyThirtySecondsOrSo"),
        ("a.js", "const tokenizer = new SentenceTokenizerOfWords();"),
        ("a.css", ".password-input-with-a-very-long-name-5 { color: red }"),
        ("a.md", "Set `ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` as the token."),
        ("a.py", 'url = "postgres://user:password@localhost/x"'),
        ("a.py", "-----BEGIN CERTIFICATE-----"),
        ("a.py", "-----BEGIN PUBLIC KEY-----"),
        ("package-lock.json", f'"integrity": "sha512-{_random(86)}=="'),
    ],
)
def test_what_only_looks_like_a_secret_is_left_in_peace(path: str, line: str) -> None:
    assert _found(line, path) == []


def test_no_other_finding_repeats_the_secret() -> None:
    secret = _SECRETS["github"]
    line = f"# ... rest of the code ... {secret}\n\u202ex = '{secret}'  # https://evil.invalid-host.net/{secret}\n"
    told = findings("a.rb", "a\n", line)
    assert len(told) > 1
    assert not any(secret in finding.message for finding in told)
