from pathlib import Path

import pygit2
import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.trees import check_tree_size, replace_blobs, walk_files
from tests.support.repositories import GitRepository, make_repository

FILES = {b"a": b"1\n", b"b-": b"2\n", b"b/c": b"3\n", b"b/d/e": b"4\n", b"b0": b"5\n", b"\xff/f": b"6\n"}


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "source", FILES)


@pytest.fixture
def store(repository: GitRepository) -> ObjectStore:
    return ObjectStore(pygit2.Repository(repository.path))


def tree_of(repository: GitRepository, revision: str = "main") -> bytes:
    return bytes.fromhex(repository.resolve(revision + "^{tree}"))


def test_every_file_is_found_by_its_whole_path(repository: GitRepository, store: ObjectStore) -> None:
    found = {file.path: store.read_blob(file.id) for file in walk_files(store, tree_of(repository))}

    assert found == FILES


def test_files_and_folders_and_levels_are_counted(repository: GitRepository, store: ObjectStore) -> None:
    root = tree_of(repository)

    check_tree_size(store, root, most_entries=9, most_levels=3)
    with pytest.raises(JobFailed, match="more than 8 files and folders") as caught:
        check_tree_size(store, root, most_entries=8, most_levels=3)
    with pytest.raises(JobFailed, match="over 2 levels deep"):
        check_tree_size(store, root, most_entries=9, most_levels=2)

    assert caught.value.code == FailureCode.REPOSITORY_TOO_LARGE


def test_a_folder_that_occurs_twice_counts_twice(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "twice", {b"a/f": b"1\n", b"b/f": b"1\n", b"b/c/f": b"1\n"})
    store = ObjectStore(pygit2.Repository(repository.path))

    check_tree_size(store, tree_of(repository), most_entries=6, most_levels=3)
    with pytest.raises(JobFailed):
        check_tree_size(store, tree_of(repository), most_entries=5, most_levels=3)


@pytest.mark.parametrize("paths", [[b"a"], [b"b/d/e"], [b"b/c", b"b/d/e", b"\xff/f"], sorted(FILES), []])
def test_replaced_files_give_the_tree_that_git_would_make(
    repository: GitRepository, store: ObjectStore, paths: list[bytes]
) -> None:
    blobs = {path: repository.write_object("blob", b"new " + path) for path in paths}

    root = replace_blobs(store, tree_of(repository), blobs)

    repository.commit({**FILES, **{path: b"new " + path for path in paths}}, branch="wanted")
    assert root == tree_of(repository, "wanted")


def test_odd_modes_and_orders_of_other_entries_stay(repository: GitRepository, store: ObjectStore) -> None:
    first, second = repository.write_object("blob", b"1\n"), repository.write_object("blob", b"2\n")
    odd = b"100664 z\0" + first + b"0100600 a\0" + first + b"100644 m\0"

    root = replace_blobs(store, repository.write_object("tree", odd + first), {b"m": second})

    assert store.read_tree(root) == odd + second
