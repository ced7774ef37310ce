"""Fetch the newest commit of a code host's default branch, over HTTP, within limits."""

from urllib.parse import urlsplit

import pygit2
from pygit2.enums import CredentialType
from pygit2.remotes import RemoteHead, TransferProgress

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.git_errors import fetching
from cody_worker.git.limits import Checkout, GitLimits

_BASE = "refs/cody/base"
_TOKEN_USER = "x-access-token"  # noqa: S105 (the user name that goes with a token, on GitHub and others)


def fetch_head(scratch: pygit2.Repository, url: str, token: str | None, limits: GitLimits) -> Checkout:
    """Fetch HEAD's commit alone (depth 1) into the scratch repository. The token is never written to disk.

    Raises `JobFailed`: `repository_not_found`, `repository_empty`, `repository_too_large`, `disk_full`,
    `code_host_unavailable`.
    """
    host = _host(url)
    _give_up_after(limits.server_seconds)
    # Neither would be asked for: a token that goes to another host, or a look into a network that only we can reach.
    scratch.config["http.followRedirects"] = "false"
    with fetching(host):
        remote = scratch.remotes.create_anonymous(url)
        heads = remote.list_heads(callbacks=_Callbacks(token, limits.clone_bytes), proxy=True)
        head = _find_head(heads, host)
        source = head.symref_target or "HEAD"
        remote.fetch([f"+{source}:{_BASE}"], depth=1, callbacks=_Callbacks(token, limits.clone_bytes), proxy=True)
        commit = str(scratch.lookup_reference(_BASE).target)
    branch = head.symref_target.removeprefix("refs/heads/") if head.symref_target else None
    return Checkout(base_commit=commit, branch=branch)


class _Callbacks(pygit2.RemoteCallbacks):
    """An exception raised in a callback ends the transfer and comes out of it."""

    def __init__(self, token: str | None, most_bytes: int) -> None:
        super().__init__()
        self._token = token
        self._most_bytes = most_bytes
        self._asked = False

    def credentials(self, url: str, username_from_url: str | None, allowed_types: CredentialType) -> pygit2.UserPass:
        # libgit2 asks again after a refusal, many times.
        if self._token is None or self._asked:
            raise pygit2.AuthError("access refused")
        self._asked = True
        return pygit2.UserPass(_TOKEN_USER, self._token)

    def transfer_progress(self, stats: TransferProgress) -> None:
        if stats.received_bytes > self._most_bytes:
            raise JobFailed(FailureCode.REPOSITORY_TOO_LARGE, f"cloning takes more than {self._most_bytes:,} bytes")


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise JobFailed(
            FailureCode.REPOSITORY_NOT_FOUND, "only http and https URLs without a user in them are cloned from"
        )
    return parts.netloc


def _give_up_after(seconds: float) -> None:
    # With the connect timeout alone, every call of libgit2 fails.
    pygit2.settings.server_timeout = int(seconds * 1000)
    pygit2.settings.server_connect_timeout = int(seconds * 1000)


def _find_head(heads: list[RemoteHead], host: str) -> RemoteHead:
    for head in heads:
        if head.name == "HEAD":
            return head
    if heads:
        raise JobFailed(FailureCode.REPOSITORY_EMPTY, f"the repository's default branch at {host} has no commits")
    raise JobFailed(FailureCode.REPOSITORY_EMPTY, f"the repository at {host} has no commits")
