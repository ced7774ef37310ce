from pathlib import Path

import pytest

from cody_worker.git.scratch_folder import ScratchFolder, remove_abandoned, remove_folder


def test_a_folder_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    folder = ScratchFolder.make(tmp_path)
    assert folder.path.parent == tmp_path
    assert folder.path.stat().st_mode & 0o777 == 0o700

    folder.remove()

    assert not list(tmp_path.iterdir())


def test_folders_deeper_than_any_path_may_be_are_removed(tmp_path: Path) -> None:
    """Such as `shutil.rmtree` fails on."""
    top = tmp_path / "top"
    top.mkdir()
    for number in range(5):
        chain = tmp_path / f"chain{number}"
        (chain / Path(*["d" * 20] * 100)).mkdir(parents=True)
        (chain / Path(*["d" * 20] * 100) / "file").write_text("x")
        if number:
            top.rename(chain / Path(*["d" * 20] * 100) / "below")
        chain.rename(top)

    remove_folder(top)

    assert not list(tmp_path.iterdir())


def test_what_may_not_be_written_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    folder = ScratchFolder.make(tmp_path)
    inside = folder.path / "a" / "b"
    inside.mkdir(parents=True)
    (inside / "file").write_text("x")
    (inside / "link").symlink_to(kept)
    (folder.path / "link").symlink_to(kept)
    (inside / "file").chmod(0o400)
    inside.chmod(0o500)
    inside.parent.chmod(0o500)

    folder.remove()

    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_only_folders_that_nobody_uses_any_more_are_abandoned(tmp_path: Path) -> None:
    used = ScratchFolder.make(tmp_path)
    (tmp_path / "cody-git-left").mkdir()
    (tmp_path / "cody-git-left" / "file").write_text("x")
    (tmp_path / "cody-git-link").symlink_to(used.path)
    (tmp_path / "other").mkdir()

    assert remove_abandoned(tmp_path) == 1

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([used.path.name, "cody-git-link", "other"])
    used.remove()


def test_a_place_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ScratchFolder.make(tmp_path / "missing")
