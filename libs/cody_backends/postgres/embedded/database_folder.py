"""The folder with PostgreSQL's data: make it, whole or not at all, or check that it is for us."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cody_backends.postgres.embedded.isolation import entering
from cody_backends.postgres.embedded.layout import USER
from cody_backends.postgres.embedded.place import Place
from cody_backends.postgres.embedded.programs import MAJOR_VERSION
from cody_backends.postgres.embedded.report import SERVER
from cody_jobs.errors import SettingsError, Unavailable

_UNFINISHED = "postgres.new-"
_LINES_SHOWN = 3


def make_database_folder(place: Place) -> bool:
    """True when it was made now: its files are not synced to the disk yet. Called by the one supervisor only."""
    _remove_unfinished(place)
    if place.database.is_dir() and any(place.database.iterdir()):
        _check(place)
        return False
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place.database.parent))
    if place.account.uid != os.geteuid():
        os.chown(unfinished, place.account.uid, place.account.gid)
    try:
        _fill(place, unfinished)
        unfinished.rename(place.database)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    # Once more: the initdb of a supervisor that was killed may have been writing to the end.
    _remove_unfinished(place)
    return True


def _remove_unfinished(place: Place) -> None:
    for leftover in place.database.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _fill(place: Place, folder: Path) -> None:
    """The locale is PostgreSQL's own, so that it is there on every system and sorts alike on all."""
    command = [place.programs.initdb, "-D", folder, "-U", USER, "-A", "trust", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions"]
    finished = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=entering(place.isolation),
        check=False,
    )
    if finished.returncode != 0:
        said = finished.stdout.decode(errors="replace").strip().splitlines()
        raise Unavailable(
            SERVER,
            f"making its files in {folder.parent} failed: " + " / ".join(said[-_LINES_SHOWN:]),
        )


def _check(place: Place) -> None:
    owner = place.database.stat().st_uid
    if owner != place.account.uid:
        raise SettingsError(
            f"CODY_DATA: {place.database} belongs to user {owner}, this program runs as user {place.account.uid}. "
            "Run it as that user, or choose another CODY_DATA"
        )
    version_file = place.database / "PG_VERSION"
    version = version_file.read_text(encoding="ascii").strip() if version_file.is_file() else "of no known version"
    if version != MAJOR_VERSION:
        raise SettingsError(
            f"CODY_DATA: {place.database} is a folder of PostgreSQL {version}, this program brings {MAJOR_VERSION}. "
            "Move the folder away (programs of its own version can read it), or choose another CODY_DATA"
        )
