"""What of this machine a command may read: programs and what they need to run, and nothing that belongs to anybody."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

_PROGRAMS = ("/usr", "/opt", "/nix/store")
_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Links into /usr on most machines, folders of their own on others."""

_ETC = (
    "alternatives", "ca-certificates", "debian_version", "fonts", "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "localtime", "magic", "maven/logging", "maven/m2.conf", "mime.types", "os-release", "pki/ca-trust",
    "pki/tls/certs", "protocols", "rpc", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_ETC_PATTERNS = ("java-*", "python3*", "perl")
_CONFIGURATION = ("/usr/local/etc", "/usr/etc", f"{sys.prefix}/pip.conf")
"""Of npm and pip: with tokens in it."""

_ALWAYS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class SystemFolders(Struct, frozen=True, kw_only=True):
    """`shown` are bound read-only at their own places; of those, `hidden` folders and files are empty; `links` are made
    as they are."""

    shown: tuple[str, ...]
    hidden: tuple[str, ...]
    links: tuple[tuple[str, str], ...]

    def shows(self, path: str) -> bool:
        return is_within(path, self.shown) and not is_within(path, self.hidden)


def find_folders(*, more: Sequence[str], hidden: Iterable[str]) -> SystemFolders:
    """`more` folders to show, and folders that hold what commands must not see, wherever those are."""
    shown = tuple(dict.fromkeys(_existing([*_PROGRAMS, *_separate(), *_etc(), *_own_python(), *more])))
    candidates = [*_CONFIGURATION, *(os.path.realpath(path) for path in hidden)]
    return SystemFolders(
        shown=shown,
        hidden=tuple(path for path in candidates if Path(path).exists() and is_within(path, shown)),
        links=tuple((str(Path(path).readlink()), path) for path in _MERGED if Path(path).is_symlink()),
    )


def search_path(folders: SystemFolders | None, *, path: str, more: Sequence[str]) -> str:
    """The worker's PATH as far as it is shown, with the worker's own Python and ast-grep as the last resort."""
    own = str(Path(sys.executable).parent)
    wanted = [*(f"{folder}/bin" for folder in more), *(part for part in path.split(":") if part != own), *_ALWAYS, own]
    visible = [part for part in wanted if Path(part).is_dir() and (folders is None or _is_visible(part, folders))]
    return ":".join(dict.fromkeys(visible))


def is_within(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _is_visible(path: str, folders: SystemFolders) -> bool:
    return folders.shows(path) or any(is_within(path, [link]) for _, link in folders.links)


def _separate() -> Iterator[str]:
    return (path for path in _MERGED if not Path(path).is_symlink())


def _etc() -> Iterator[str]:
    etc = Path("/etc")
    yield from (str(etc / name) for name in _ETC)
    for pattern in _ETC_PATTERNS:
        yield from map(str, sorted(etc.glob(pattern)))


def _own_python() -> Iterator[str]:
    """The interpreter's environment, and the installation that it belongs to."""
    for prefix in (sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent)):
        if not is_within(prefix, ["/usr"]) and prefix != "/":
            yield prefix


def _existing(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if Path(path).exists())
