"""A change stays inside its repository, outside its .git, and makes no links."""

import pytest

from cody_worker.guards import GuardName
from tests.unit.cody_worker.guards.changes import findings

_FILE, _LINK, _SUBMODULE = 0o100644, 0o120000, 0o160000


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "C:/windows/a",
        "c:a",
        "../a",
        "a/../../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        ".git/config",
        ".GIT/hooks/pre-commit",
        "sub/.git/config",
        ".git",
        "git~1/config",
        "GIT~2",
        ".git /config",
        ".git./config",
        ".git::$INDEX_ALLOCATION/config",
        ".g\u200cit/config",
        ".gi\ufefft/config",
        "a./b",
        "a/" * 2_100 + "a",
        "a" * 256,
        "\u00f6" * 128,
    ],
)
def test_a_path_that_leads_out_of_the_repository_is_found_and_nothing_else_looked_at(path: str) -> None:
    (finding,) = findings(path, "x = 1\n", "x = (\n")
    assert finding.guard is GuardName.UNSAFE_PATH
    assert len(finding.message) < 400


@pytest.mark.parametrize(
    "path",
    [
        "a",
        ".gitignore",
        ".gitattributes",
        "git/a",
        ".github/a.md",
        "a..b",
        "...a",
        "\u00f6/\u00e4",
        "a b/c",
        "digit~1",
        "ab:c",
    ],
)
def test_odd_but_honest_paths_are_left_in_peace(path: str) -> None:
    assert findings(path, "x = 1\n", "x = 2\n") == []


def test_a_new_link_or_submodule_is_found() -> None:
    for mode in (_LINK, _SUBMODULE):
        for before in (None, b"x"):
            (finding,) = findings("a", before, b"b", modes=(None if before is None else _FILE, mode))
            assert finding.guard is GuardName.UNSAFE_PATH


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../a", "../.git/config", "b/../../../c", "a\\b", "\xff/../../.."]
)
def test_a_link_may_not_turn_outward(target: str) -> None:
    (finding,) = findings("sub/a", b"b", target.encode("latin-1"), modes=(_LINK, _LINK))
    assert finding.guard is GuardName.UNSAFE_PATH


def test_a_link_may_turn_to_another_file_of_the_repository_or_go() -> None:
    assert findings("sub/a", b"b", b"../c/d", modes=(_LINK, _LINK)) == []
    assert findings("sub/a", b"../../out", None, modes=(_LINK, None)) == []
    assert findings("sub/a", b"x", None, modes=(_SUBMODULE, None)) == []
