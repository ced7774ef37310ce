"""What programs read to reach the code host: those that only read, and those that write."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class CodeHostKind(StrEnum):
    FOLDER = "folder"
    GITHUB = "github"


class HostSettings(Struct, frozen=True, kw_only=True):
    """All that a worker may have: nothing here can write to a code host, if its token is what its name says."""

    code_host: Annotated[CodeHostKind, Meta(description="Where repositories live: folder or github.")] = (
        CodeHostKind.FOLDER
    )
    repositories_root: Annotated[
        str | None,
        Meta(description="With CODE_HOST=folder: `owner/name` is a git repository (bare or not) below this folder."),
    ] = None
    github_api_url: Annotated[
        str, Meta(description="With CODE_HOST=github: GitHub's REST API; of GitHub Enterprise, https://HOST/api/v3.")
    ] = "https://api.github.com"
    github_read_token: Annotated[
        str | None,
        Meta(
            description="With CODE_HOST=github: a token that can only read, for private repositories. Workers read no "
            "other one.",
            extra={"secret": True},
        ),
    ] = None

    def __repr__(self) -> str:
        return f"HostSettings(code_host={self.code_host.value!r}, repositories_root={self.repositories_root!r})"


class GitHubSettings(Struct, frozen=True, kw_only=True):
    """Who writes to GitHub, and how fast: for the publisher alone."""

    github_token: Annotated[
        tuple[str, ...],
        Meta(
            description="A service account's token that can push and open pull requests; several, separated by commas, "
            "share the work.",
            extra={"secret": True},
        ),
    ] = ()
    github_app_id: Annotated[
        str | None, Meta(description="A GitHub App instead of a token, or beside them: its id or client id.")
    ] = None
    github_app_private_key: Annotated[
        str | None, Meta(description="The App's private key (PEM).", extra={"secret": True})
    ] = None
    github_app_private_key_file: Annotated[
        str | None, Meta(description="A file with the App's private key, instead of the key itself.")
    ] = None
    github_changes_per_minute: Annotated[
        int, Meta(ge=1, le=10_000, description="Changes (pull requests, comments, labels …) a minute and identity.")
    ] = 80
    github_changes_per_hour: Annotated[
        int, Meta(ge=1, le=100_000, description="The same for an hour. GitHub's own limits are 80 and 500.")
    ] = 500
    github_patience: Annotated[
        float,
        Meta(ge=0, le=3_600, description="Seconds that a request waits for room under GitHub's limits."),
    ] = 90.0

    def __repr__(self) -> str:
        return f"GitHubSettings({len(self.github_token)} tokens, github_app_id={self.github_app_id!r})"
