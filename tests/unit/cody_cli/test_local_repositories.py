"""Repositories of this machine get names, and nothing in them is touched."""

from pathlib import Path

import pytest

from cody_cli.failures import BadInput
from cody_cli.local_repositories import find_repositories, register_repositories, uncommitted_changes
from cody_jobs.repository_names import check_repository_name
from tests.support.repositories import make_repository, snapshot


def test_a_repository_is_linked_under_its_folders_name(tmp_path: Path) -> None:
    web = make_repository(tmp_path / "web", {"a.py": b"a"}, bare=False)
    before = snapshot(web.path)
    (found,) = find_repositories([web.path], None)
    (registered,) = register_repositories(tmp_path / "root", [found])
    assert uncommitted_changes(web.path) is False
    assert registered.name == "local/web"
    assert (tmp_path / "root" / "local" / "web").resolve() == web.path
    assert snapshot(web.path) == before


def test_the_same_path_keeps_its_name_and_another_one_gets_a_number(tmp_path: Path) -> None:
    paths = [tmp_path / "one" / "web", tmp_path / "two" / "web", tmp_path / "three" / "web"]
    root = tmp_path / "root"
    assert [item.name for item in register_repositories(root, paths[:2])] == ["local/web", "local/web-2"]
    assert [item.name for item in register_repositories(root, reversed(paths))] == [
        "local/web-3",
        "local/web-2",
        "local/web",
    ]


@pytest.mark.parametrize("folder", ["my project", "..x", "ünï", "a.git", "b.lock", "c.git.git", "-d", "é", "x" * 300])
def test_every_folder_gets_a_name_that_the_api_takes(tmp_path: Path, folder: str) -> None:
    (registered,) = register_repositories(tmp_path, [Path("/somewhere") / folder])
    assert check_repository_name(registered.name)


def test_a_folder_of_repositories_gives_those_directly_below(tmp_path: Path) -> None:
    make_repository(tmp_path / "b.git", {"a": b"a"})
    make_repository(tmp_path / "a", {"a": b"a"}, bare=False)
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").write_text("x")
    assert [path.name for path in find_repositories([tmp_path / "a"], tmp_path)] == ["a", "b.git"]


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(BadInput, match="no such folder"):
        find_repositories([tmp_path / "missing"], None)
    with pytest.raises(BadInput, match="plain is not a git repository"):
        find_repositories([tmp_path / "plain"], None)
    with pytest.raises(BadInput, match="no git repository directly below"):
        find_repositories([], tmp_path)


def test_a_folder_inside_of_a_repository_is_refused_with_the_right_one(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "web", {"src/a.py": b"a"}, bare=False)
    with pytest.raises(BadInput) as refused:
        find_repositories([repository.path / "src"], None)
    assert refused.value.hint == f"--repo {repository.path}"
    with pytest.raises(BadInput):
        find_repositories([repository.path / ".git" / "objects"], None)


def test_changes_that_are_not_committed_are_noticed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "web", {"a.py": b"a"}, bare=False)
    (repository.path / "new.py").write_text("untracked files are no part of it")
    assert uncommitted_changes(repository.path) is False
    (repository.path / "a.py").write_text("b")
    assert uncommitted_changes(repository.path) is True


def test_a_repositorys_configuration_runs_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "web", {"a.py": b"a"}, bare=False)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    repository.git("config", "core.fsmonitor", program)
    find_repositories([repository.path], None)
    uncommitted_changes(repository.path)
    assert not (tmp_path / "ran").exists()
