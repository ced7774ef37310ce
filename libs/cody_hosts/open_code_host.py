"""Open the chosen code host. Everybody else works with the ports alone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from cody_hosts.settings import CodeHostKind, GitHubSettings, HostSettings
from cody_jobs.errors import SettingsError
from cody_jobs.ports.code_host import Catalog, CodeHost

__all__ = ["CodeHostKind", "GitHubSettings", "HostSettings", "open_catalog", "open_code_host"]


def open_code_host(settings: HostSettings) -> CodeHost:
    """To clone from. Raises `SettingsError` when a setting that the host needs is missing or wrong."""
    if settings.code_host is CodeHostKind.GITHUB:
        from cody_hosts.github.addresses import addresses_of
        from cody_hosts.github.code_host import GitHubCodeHost

        return GitHubCodeHost(addresses_of(settings.github_api_url), settings.github_read_token)
    from cody_hosts.folder.code_host import FolderCodeHost

    return FolderCodeHost(_root(settings))


@asynccontextmanager
async def open_catalog(settings: HostSettings, github: GitHubSettings | None = None) -> AsyncGenerator[Catalog]:
    """To look for repositories, and at them, as whoever `github` says; without it, with the token that only reads.

    Raises `SettingsError`.
    """
    if settings.code_host is CodeHostKind.GITHUB:
        from cody_hosts.github.github import open_github

        async with open_github(settings, github) as opened:
            yield opened
            return
    from cody_hosts.folder.catalog import FolderCatalog

    yield FolderCatalog(_root(settings))


def _root(settings: HostSettings) -> Path:
    if settings.repositories_root is None:
        raise SettingsError("REPOSITORIES_ROOT is not set: with CODE_HOST=folder, repositories are found below it.")
    return Path(settings.repositories_root).expanduser().absolute()
