"""What a worker has of GitHub."""

import subprocess
import sys

import pytest

from cody_hosts.github.addresses import Addresses, addresses_of
from cody_hosts.open_code_host import GitHubSettings, HostSettings, open_code_host
from cody_jobs.errors import SettingsError
from cody_jobs.ports.code_host import CloneSource
from cody_runtime.settings import load_settings

_LIGHT = """
import sys
from cody_hosts.open_code_host import HostSettings, CodeHostKind, open_code_host
open_code_host(HostSettings(code_host=CodeHostKind.GITHUB))
print([name for name in ("httpx", "jwt", "cryptography", "stamina") if name in sys.modules])
"""


async def test_a_worker_clones_with_the_token_that_reads_and_has_no_other() -> None:
    given = {"CODE_HOST": "github", "GITHUB_READ_TOKEN": "reads", "GITHUB_TOKEN": "writes"}
    settings = load_settings(HostSettings, given)

    source = await open_code_host(settings).clone_source("acme/shop")

    assert source == CloneSource(url="https://github.com/acme/shop.git", token="reads")


def test_settings_never_show_their_secrets() -> None:
    given = {
        "GITHUB_READ_TOKEN": "secret-1",
        "GITHUB_TOKEN": "secret-2, secret-3",
        "GITHUB_APP_ID": "7",
        "GITHUB_APP_PRIVATE_KEY": "secret-4",
    }

    assert load_settings(GitHubSettings, given).github_token == ("secret-2", "secret-3")
    assert "secret" not in f"{load_settings(HostSettings, given)!r} {load_settings(GitHubSettings, given)!r}"


def test_a_worker_needs_no_http_client_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", _LIGHT], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("url", "web", "graphql"),
    [
        ("https://api.github.com", "https://github.com", "https://api.github.com/graphql"),
        ("https://api.github.com/", "https://github.com", "https://api.github.com/graphql"),
        ("https://git.acme.com/api/v3", "https://git.acme.com", "https://git.acme.com/api/graphql"),
        ("https://git.acme.com:8443/api/v3/", "https://git.acme.com:8443", "https://git.acme.com:8443/api/graphql"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com", "https://api.acme.ghe.com/graphql"),
    ],
)
def test_all_addresses_follow_from_one(url: str, web: str, graphql: str) -> None:
    found: Addresses = addresses_of(url)

    assert (found.web, found.graphql, found.rest) == (web, graphql, url.rstrip("/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://git.acme.com/api/v3",
        "https://github.com",
        "https://git.acme.com",
        "git.acme.com/api/v3",
        "https://user:secret@git.acme.com/api/v3",
        "https://git.acme.com/api/v3?x=1",
    ],
)
def test_an_address_that_cannot_be_right_stops_the_start_and_shows_no_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="GITHUB_API_URL") as caught:
        addresses_of(url)

    assert "secret" not in str(caught.value)
