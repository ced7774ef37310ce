"""Whether a change becomes a pull request, one from a fork, or stays a patch."""

from enum import StrEnum

from msgspec import Struct

from cody_jobs.ports.code_host import HostedRepository, Permission


class ForkPolicy(StrEnum):
    """`if-needed`: only where our identity may not push."""

    NEVER = "never"
    IF_NEEDED = "if-needed"
    ALWAYS = "always"


class OpenPullRequest(Struct, frozen=True, kw_only=True, tag="pullRequest", tag_field="kind"):
    """From a branch of the repository itself."""


class OpenFromFork(Struct, frozen=True, kw_only=True, tag="pullRequestFromFork", tag_field="kind"):
    """`reason` is for people."""

    reason: str


class PatchOnly(Struct, frozen=True, kw_only=True, tag="patchOnly", tag_field="kind"):
    """`reason` is for people."""

    reason: str


HowToPublish = OpenPullRequest | OpenFromFork | PatchOnly


def how_to_publish(found: HostedRepository, policy: ForkPolicy) -> HowToPublish:
    hindrance = _hindrance(found)
    if hindrance is not None:
        return PatchOnly(reason=hindrance)
    may_push = found.permission in {Permission.WRITE, Permission.ADMIN}
    if may_push and policy is not ForkPolicy.ALWAYS:
        return OpenPullRequest()
    if not may_push and policy is ForkPolicy.NEVER:
        return PatchOnly(reason="we may not push there, and forks are not wanted (fork: never)")
    if not found.allows_forking:
        missing = "the repository does not allow forks"
        return PatchOnly(reason=missing if may_push else f"we may not push there, and {missing}")
    return OpenFromFork(reason="forks are wanted (fork: always)" if may_push else "we may not push there")


def _hindrance(found: HostedRepository) -> str | None:
    if found.opted_out is not None:
        return found.opted_out
    if found.archived:
        return "the repository is archived"
    if found.disabled:
        return "the repository is disabled"
    return "we may not see the repository" if found.permission is Permission.NONE else None
