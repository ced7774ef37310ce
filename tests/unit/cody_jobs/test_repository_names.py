import pytest

from cody_jobs.repository_names import BadRepositoryName, check_repository_name, is_allowed


@pytest.mark.parametrize("name", ["owner/name", "a/b", "acme-1/web.site_2", "_x/y"])
def test_good_names_pass(name: str) -> None:
    assert check_repository_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "name",
        "a/b/c",
        "../etc",
        "a/..",
        "a/b..c",
        "/name",
        "owner/",
        "-a/b",
        ".a/b",
        "a/b.git",
        "a/b.lock",
        "a/b.",
        "a b/c",
        "a/b\n",
        "a/ü",
        "a/" + "x" * 101,
        "a\\b/c",
        "a/$(reboot)",
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(BadRepositoryName):
        check_repository_name(name)


def test_an_empty_list_allows_nothing() -> None:
    assert not is_allowed("acme/web", [])


def test_globs_allow_and_case_does_not_matter() -> None:
    assert is_allowed("Acme/Web", ["acme/*"])
    assert is_allowed("acme/web", ["other/*", "ACME/w*"])
    assert not is_allowed("acme2/web", ["acme/*"])
