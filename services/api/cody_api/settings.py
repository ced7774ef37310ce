"""What the API reads from its environment."""

import ipaddress
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.settings import BackendSettings
from cody_jobs.errors import SettingsError
from cody_runtime.program import RuntimeSettings


class AuthMode(StrEnum):
    TOKENS = "tokens"
    NONE = "none"


class ApiSettings(Struct, frozen=True, kw_only=True):
    runtime: RuntimeSettings = RuntimeSettings()
    backend: BackendSettings = BackendSettings()
    api_host: Annotated[str, Meta(description="Address to listen on; loopback only with the embedded database.")] = (
        "127.0.0.1"
    )
    api_port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8080
    api_auth: Annotated[
        AuthMode, Meta(description="tokens (Authorization: Bearer …), or none: everybody who can connect is admin.")
    ] = AuthMode.TOKENS
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="Origins whose web pages may call the API, such as https://ops.example.com.")
    ] = ()
    allowed_repositories: Annotated[
        tuple[str, ...], Meta(description="Globs of repositories that a job may name; empty allows none.")
    ] = ()

    @property
    def listens_on_loopback(self) -> bool:
        return is_loopback(self.api_host)


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_settings(settings: ApiSettings) -> None:
    """Raise `SettingsError` for values that are fine alone but not together."""
    if settings.backend.embedded and not settings.listens_on_loopback:
        raise SettingsError(
            f"API_HOST: {settings.api_host!r} is not a loopback address. Without DATABASE_URL everything belongs to "
            "one machine and the first token is made unasked, so only this machine may connect: use 127.0.0.1, or set "
            "DATABASE_URL to serve others."
        )
    for origin in settings.cors_origins:
        if origin != "*" and ("://" not in origin or origin.endswith("/")):
            raise SettingsError(
                f"CORS_ORIGINS: {origin!r} is not an origin. Write scheme://host[:port] without a path, or *."
            )
    if settings.api_auth is AuthMode.NONE and "*" in settings.cors_origins:
        raise SettingsError(
            "CORS_ORIGINS: * with API_AUTH=none would let every web page act as admin; name the origins."
        )
