"""A path or a link that leads out of the repository, or into its .git, on whatever file system it is checked out."""

import posixpath
import re

from cody_worker.guards.finding import Change, Finding, GuardName, shown

_PATH_BYTES = 4_095
"""PATH_MAX of Linux without its NUL."""
_NAME_BYTES = 255
_KIND, _SYMLINK, _SUBMODULE = 0o170000, 0o120000, 0o160000

# What some file system takes for .git: HFS+ ignores these characters, NTFS trailing dots and spaces, short names and
# streams (git's is_hfs_dotgit and is_ntfs_dotgit).
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_DOT_GIT = re.compile(r"(?:\.git|git~\d+)[ .]*(?::.*)?", re.IGNORECASE | re.DOTALL)
_DRIVE = re.compile(r"[a-zA-Z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def unsafe_path(change: Change) -> Finding | None:
    reason = _wrong_with(change.path) or _wrong_with_mode(change)
    if reason is None:
        return None
    return Finding(guard=GuardName.UNSAFE_PATH, message=f"the path {shown(change.path)!r} {reason}")


def is_link(change: Change) -> bool:
    """Whether its bytes are no file's: a symbolic link's target, or a submodule's commit."""
    return (change.mode_after or change.mode_before or 0) & _KIND in {_SYMLINK, _SUBMODULE}


def without_ignored(path: str) -> str:
    """The path without the characters that HFS+ does not see."""
    return _HFS_IGNORED.sub("", path)


def _wrong_with(path: str) -> str | None:
    if path.startswith("/") or _DRIVE.match(path):
        return "is absolute"
    if _CONTROL.search(path):
        return "has a control character"
    if "\\" in path:
        return "has a backslash"
    if _bytes_of(path) > _PATH_BYTES:
        return f"has more than {_PATH_BYTES:,} bytes"
    return next((reason for reason in map(_wrong_with_part, path.split("/")) if reason), None)


def _wrong_with_part(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return f"has the part {part!r}"
    if _DOT_GIT.fullmatch(without_ignored(part)):
        return "is inside the repository's own .git"
    if part.endswith((".", " ")):
        return "has a part that ends in a dot or a space, which some file systems drop"
    if _bytes_of(part) > _NAME_BYTES:
        return f"has a part of more than {_NAME_BYTES} bytes"
    return None


def _bytes_of(path: str) -> int:
    return len(path.encode("utf-8", "surrogatepass"))


def _wrong_with_mode(change: Change) -> str | None:
    if change.after is None or change.mode_after is None:
        return None
    kind, kind_before = change.mode_after & _KIND, (change.mode_before or 0) & _KIND
    if kind == _SUBMODULE:
        return "would be a submodule"
    if kind != _SYMLINK:
        return None
    if kind_before != _SYMLINK:
        return "would be a new symbolic link"
    target = change.after.decode(errors="surrogateescape")
    return "is a symbolic link that would lead out of the repository" if _leaves(change.path, target) else None


def _leaves(path: str, target: str) -> bool:
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return place == ".." or place.startswith("../") or _wrong_with(place.removeprefix("./")) is not None
