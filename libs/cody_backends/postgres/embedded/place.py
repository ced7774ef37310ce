"""Decide how PostgreSQL is run here, and make the folders that it needs."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from cody_backends.postgres.embedded.isolation import Account, account_of, works
from cody_backends.postgres.embedded.layout import Isolation, Layout, is_short_enough, short_folder
from cody_backends.postgres.embedded.programs import Programs, copy_programs
from cody_jobs.errors import SettingsError


class Place(Struct, frozen=True, kw_only=True):
    """Everything decided: `database` and `socket` are real folders, not links."""

    programs: Programs
    isolation: Isolation
    account: Account
    database: Path
    socket: Path
    log: Path
    options: Mapping[str, str]


def prepare_place(layout: Layout, programs: Programs) -> Place:
    """Raises `SettingsError` when PostgreSQL cannot run here, or a folder is not ours."""
    isolation = layout.isolation or _choose(layout, programs)
    if isolation is Isolation.UNPRIVILEGED_USER:
        return _in_shelter(layout, programs)
    return Place(
        programs=programs,
        isolation=isolation,
        account=account_of(isolation),
        database=layout.database,
        socket=_socket_folder(layout),
        log=layout.log,
        options=layout.options,
    )


def _choose(layout: Layout, programs: Programs) -> Isolation:
    if os.geteuid() != 0:
        return Isolation.NONE
    if _leads_to(layout.database, layout.shelter_folder / "postgres"):
        return Isolation.UNPRIVILEGED_USER
    if works(Isolation.USER_NAMESPACE, programs.both, reach=layout.folder):
        return Isolation.USER_NAMESPACE
    if layout.database.exists():
        raise SettingsError(
            f"CODY_DATA: {layout.database} was made by root with the help of a user namespace, and these are refused "
            "here now. Allow them, run as another user than root, or set DATABASE_URL to a PostgreSQL server"
        )
    return Isolation.UNPRIVILEGED_USER


def _in_shelter(layout: Layout, programs: Programs) -> Place:
    account = account_of(Isolation.UNPRIVILEGED_USER)
    home = layout.shelter_folder
    home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _make_folder(home, account)
    _make_folder(home / "socket", account)
    if not works(Isolation.UNPRIVILEGED_USER, programs.both, reach=home):
        programs = copy_programs(programs, home.parent)
        if not works(Isolation.UNPRIVILEGED_USER, programs.both, reach=home):
            raise SettingsError(
                f"PostgreSQL does not run as root, and an unprivileged user cannot run it from {home} either. "
                "Run as another user than root, or set DATABASE_URL to a PostgreSQL server"
            )
    _link(layout.database, home / "postgres")
    _link(layout.socket, home / "socket")
    return Place(
        programs=programs,
        isolation=Isolation.UNPRIVILEGED_USER,
        account=account,
        database=home / "postgres",
        socket=home / "socket",
        log=layout.log,
        options=layout.options,
    )


def _socket_folder(layout: Layout) -> Path:
    account = account_of(Isolation.NONE)
    if is_short_enough(layout.socket):
        if layout.socket.is_symlink():
            layout.socket.unlink()
        _make_folder(layout.socket, account)
        return layout.socket
    short = short_folder(layout)
    _make_folder(short.parent, account)
    _make_folder(short, account)
    _link(layout.socket, short)
    return short


def _make_folder(path: Path, account: Account) -> None:
    """A folder for this account alone. One that is there and is not like that may be somebody's trap."""
    try:
        path.mkdir(mode=0o700)
        if account.uid != os.geteuid():
            os.chown(path, account.uid, account.gid)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
            raise SettingsError(
                f"CODY_DATA: {path} is needed as a folder of user {account.uid} with mode 0700, and is something else. "
                "Remove it, or choose another CODY_DATA"
            ) from None


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.readlink() == target


def _link(link: Path, target: Path) -> None:
    if _leads_to(link, target):
        return
    if link.is_symlink():
        link.unlink()
    elif link.is_dir() and not any(link.iterdir()):
        link.rmdir()
    link.symlink_to(target)
