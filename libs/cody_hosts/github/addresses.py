"""Where GitHub is, from the one address that a person sets."""

from urllib.parse import urlsplit

from msgspec import Struct

from cody_jobs.errors import SettingsError

PUBLIC_API = "https://api.github.com"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Addresses(Struct, frozen=True, kw_only=True):
    """Without a slash at their ends. `host` is for people."""

    rest: str
    graphql: str
    web: str
    host: str

    def clone_url(self, repository: str) -> str:
        return f"{self.web}/{repository}.git"


def addresses_of(api_url: str) -> Addresses:
    """GitHub's REST API: `https://api.github.com`, `https://api.NAME.ghe.com`, or `https://HOST/api/v3`.

    Raises `SettingsError`: among others, a token is not sent over plain HTTP to another machine.
    """
    parts, rest = urlsplit(api_url), api_url.rstrip("/")
    if not parts.hostname or parts.query or parts.fragment or parts.username or parts.password:
        raise SettingsError("GITHUB_API_URL has to look like https://api.github.com, or https://HOST/api/v3.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise SettingsError("GITHUB_API_URL has to begin with https:// (http:// on this machine only).")
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    if path == "/api/v3":
        return Addresses(rest=rest, graphql=f"{origin}/api/graphql", web=origin, host=parts.netloc)
    if path or not parts.netloc.startswith("api."):
        raise SettingsError("GITHUB_API_URL has to be https://api.github.com, or end in /api/v3 (GitHub Enterprise).")
    host = parts.netloc.removeprefix("api.")
    return Addresses(rest=rest, graphql=f"{origin}/graphql", web=f"{parts.scheme}://{host}", host=host)
