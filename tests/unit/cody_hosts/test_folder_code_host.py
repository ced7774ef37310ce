from pathlib import Path

import pytest

from cody_hosts.folder.code_host import FolderCodeHost
from cody_hosts.open_code_host import HostSettings, open_code_host
from cody_jobs.errors import JobFailed, SettingsError
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import CloneSource, CodeHost
from cody_runtime.settings import load_settings
from tests.support.repositories import clone, make_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repositories"
    folder.mkdir()
    return folder


async def failure(root: Path, name: str) -> JobFailed:
    with pytest.raises(JobFailed) as caught:
        await FolderCodeHost(root).clone_source(name)
    return caught.value


@pytest.mark.parametrize(("folder", "bare"), [("owner/name", True), ("owner/name.git", True), ("owner/name", False)])
async def test_a_repository_is_found_in_every_shape(root: Path, folder: str, *, bare: bool) -> None:
    make_repository(root / folder, bare=bare)

    assert await FolderCodeHost(root).clone_source("owner/name") == CloneSource(path=str(root / folder))


async def test_a_work_tree_with_its_git_folder_elsewhere_is_found(root: Path, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"a": b"1\n"})
    (root / "owner").mkdir()
    clone(source, root / "owner" / "name", "--separate-git-dir", str(tmp_path / "elsewhere"))

    assert await FolderCodeHost(root).clone_source("owner/name") == CloneSource(path=str(root / "owner" / "name"))


async def test_links_that_the_operator_made_are_followed(root: Path, tmp_path: Path) -> None:
    make_repository(tmp_path / "elsewhere" / "project", bare=False)
    (root / "owner").symlink_to(tmp_path / "elsewhere")
    (root / "local").mkdir()
    (root / "local" / "name").symlink_to(tmp_path / "elsewhere" / "project")

    assert (await FolderCodeHost(root).clone_source("owner/project")).path == str(root / "owner" / "project")
    assert (await FolderCodeHost(root).clone_source("local/name")).path == str(root / "local" / "name")


async def test_a_missing_repository_is_told_with_the_places_that_were_looked_at(root: Path) -> None:
    error = await failure(root, "owner/name")

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_NOT_FOUND, False)
    assert error.message == "there is no owner/name or owner/name.git below REPOSITORIES_ROOT"


async def test_a_folder_that_is_no_repository_is_not_found(root: Path) -> None:
    (root / "owner" / "name").mkdir(parents=True)

    error = await failure(root, "owner/name")

    assert error.code == FailureCode.REPOSITORY_NOT_FOUND
    assert (
        error.message == "owner/name or owner/name.git (below REPOSITORIES_ROOT) is there, but is not a git repository"
    )


@pytest.mark.parametrize("name", ["../../etc", "owner/..", "owner", "/etc/passwd", "owner/na me", "owner/name/more"])
async def test_a_name_cannot_lead_out_of_the_root(root: Path, name: str) -> None:
    make_repository(root.parent / "etc")

    assert (await failure(root / "owner", name)).code == FailureCode.REPOSITORY_NOT_FOUND


async def test_a_root_that_is_not_there_may_come_back(root: Path) -> None:
    error = await failure(root / "unmounted", "owner/name")

    assert (error.code, error.retryable) == (FailureCode.CODE_HOST_UNAVAILABLE, True)
    assert "REPOSITORIES_ROOT is no folder" in error.message


async def test_the_host_is_opened_from_settings(root: Path) -> None:
    make_repository(root / "owner" / "name")
    settings = load_settings(HostSettings, {"CODE_HOST": "folder", "REPOSITORIES_ROOT": str(root)})

    host = open_code_host(settings)

    assert isinstance(host, CodeHost)
    assert (await host.clone_source("owner/name")).path == str(root / "owner" / "name")


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="REPOSITORIES_ROOT is not set"):
        open_code_host(HostSettings())


def test_an_unknown_code_host_is_named() -> None:
    with pytest.raises(SettingsError, match="CODE_HOST"):
        load_settings(HostSettings, {"CODE_HOST": "nowhere"})
