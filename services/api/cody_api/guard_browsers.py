"""Where no token is asked for, a web page that somebody opens must not be able to use the API."""

from urllib.parse import urlsplit

from litestar.handlers import BaseRouteHandler

from cody_api.auth import asks_for_nothing
from cody_api.connections import Connection, Guard
from cody_api.problems import ProblemError
from cody_api.settings import ApiSettings, AuthMode, is_loopback


def guard_browsers(settings: ApiSettings) -> Guard:
    """With API_AUTH=none, requests of web pages (they carry an Origin) come from here or from CORS_ORIGINS, and on a
    loopback address the Host is a loopback name: a page whose own name was made to point here is refused."""

    def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        if settings.api_auth is AuthMode.TOKENS or asks_for_nothing(handler):
            return
        host = connection.headers.get("host", "")
        origin = connection.headers.get("origin")
        if origin and origin not in settings.cors_origins and urlsplit(origin).netloc != host:
            raise ProblemError(403, "origin_not_allowed", f"Pages of {origin} may not call this API (CORS_ORIGINS).")
        if settings.listens_on_loopback and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            raise ProblemError(403, "host_not_allowed", "Without tokens, this API is called by a loopback name only.")

    return guard
