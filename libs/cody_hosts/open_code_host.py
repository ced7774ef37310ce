"""Open the chosen code host. Everybody else works with the port alone."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from cody_jobs.errors import SettingsError
from cody_jobs.ports.code_host import CodeHost


class CodeHostKind(StrEnum):
    FOLDER = "folder"


class HostSettings(Struct, frozen=True, kw_only=True):
    code_host: Annotated[CodeHostKind, Meta(description="Where repositories live: folder.")] = CodeHostKind.FOLDER
    repositories_root: Annotated[
        str | None,
        Meta(description="With CODE_HOST=folder: `owner/name` is a git repository (bare or not) below this folder."),
    ] = None


def open_code_host(settings: HostSettings) -> CodeHost:
    """Raises `SettingsError` when a setting that the host needs is missing."""
    from cody_hosts.folder.code_host import FolderCodeHost

    if settings.repositories_root is None:
        raise SettingsError("REPOSITORIES_ROOT is not set: with CODE_HOST=folder, repositories are found below it.")
    return FolderCodeHost(Path(settings.repositories_root).expanduser().absolute())
