import pytest
from msgspec.structs import replace

from cody_jobs.how_to_publish import ForkPolicy, HowToPublish, OpenFromFork, OpenPullRequest, PatchOnly, how_to_publish
from cody_jobs.opt_out import opted_out
from cody_jobs.ports.code_host import HostedRepository, Permission

NEVER, IF_NEEDED, ALWAYS = ForkPolicy.NEVER, ForkPolicy.IF_NEEDED, ForkPolicy.ALWAYS
OURS = HostedRepository(name="a/b", default_branch="main", permission=Permission.WRITE, allows_forking=True)
THEIRS = replace(OURS, permission=Permission.READ)


@pytest.mark.parametrize(
    ("found", "policy", "expected"),
    [
        (OURS, NEVER, OpenPullRequest()),
        (OURS, IF_NEEDED, OpenPullRequest()),
        (OURS, ALWAYS, OpenFromFork(reason="forks are wanted (fork: always)")),
        (replace(OURS, permission=Permission.ADMIN), NEVER, OpenPullRequest()),
        (THEIRS, NEVER, PatchOnly(reason="we may not push there, and forks are not wanted (fork: never)")),
        (THEIRS, IF_NEEDED, OpenFromFork(reason="we may not push there")),
        (THEIRS, ALWAYS, OpenFromFork(reason="we may not push there")),
        (
            replace(THEIRS, allows_forking=False),
            IF_NEEDED,
            PatchOnly(reason="we may not push there, and the repository does not allow forks"),
        ),
        (replace(OURS, allows_forking=False), ALWAYS, PatchOnly(reason="the repository does not allow forks")),
        (replace(OURS, archived=True), ALWAYS, PatchOnly(reason="the repository is archived")),
        (replace(OURS, disabled=True), NEVER, PatchOnly(reason="the repository is disabled")),
        (replace(OURS, opted_out="no, thanks"), NEVER, PatchOnly(reason="no, thanks")),
        (replace(OURS, permission=Permission.NONE), ALWAYS, PatchOnly(reason="we may not see the repository")),
    ],
)
def test_permission_policy_and_state_decide(
    found: HostedRepository, policy: ForkPolicy, expected: HowToPublish
) -> None:
    assert how_to_publish(found, policy) == expected


@pytest.mark.parametrize(
    ("topics", "file", "expected"),
    [
        ((), None, None),
        (("python",), b"", None),
        (("no-cody-batch",), b"enabled = true", "the repository opted out (topic no-cody-batch)"),
        ((), b"enabled = false", "the repository opted out (.codybatch.toml)"),
        ((), b"\xff", "its .codybatch.toml cannot be read"),
        ((), b"a = " + b"[" * 60_000, "its .codybatch.toml cannot be read"),
    ],
)
def test_a_repository_that_wants_to_be_left_alone_is(
    topics: tuple[str, ...], file: bytes | None, expected: str | None
) -> None:
    assert opted_out(topics, file) == expected
