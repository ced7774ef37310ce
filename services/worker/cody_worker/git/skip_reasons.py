"""Which files are never sent to Claude, by their path or by their bytes."""

import codecs
import re

from cody_worker.file_text import read_text
from cody_worker.git.scope import SkipReason

_VENDORED_FOLDERS = frozenset(
    """.bundle .eggs .terraform .tox .venv .yarn 3rdparty __pycache__ _vendor bower_components carthage dist
    godeps jspm_packages node_modules pods site-packages third-party third_party thirdparty vendor vendored vendors
    venv""".split()  # noqa: SIM905 (words read better than a page of literals)
)
_GENERATED_NAMES = frozenset(
    """.terraform.lock.hcl bun.lock cargo.lock composer.lock conan.lock deno.lock flake.lock gemfile.lock go.sum
    gradle.lockfile mix.lock npm-shrinkwrap.json package-lock.json package.resolved packages.lock.json pdm.lock
    pipfile.lock pnpm-lock.yaml podfile.lock poetry.lock pubspec.lock uv.lock yarn.lock""".split()  # noqa: SIM905 (as above)
)
_GENERATED_ENDINGS = (
    ".min.js",
    ".min.mjs",
    ".min.css",
    ".js.map",
    ".css.map",
    ".pb.go",
    ".pb.cc",
    ".pb.h",
    "_pb2.py",
    "_pb2.pyi",
    "_pb2_grpc.py",
    ".g.dart",
    ".designer.cs",
)
_MARKER = re.compile(
    r"@generated\b|Code generated .{0,200}DO NOT EDIT|auto-?generated.{0,200}do not (?:edit|modify)", re.IGNORECASE
)
_MARKER_LINES = 10
_MARKER_CHARACTERS = 4_096
_LFS_HEADER = b"version https://git-lfs.github.com/spec/v1\n"
_LFS_BYTES = 1_024
_PATH_BYTES = 4_095
"""PATH_MAX of Linux without its NUL: a longer path cannot be checked out."""

# What `git apply` refuses, because some file system takes it for .git (git's is_ntfs_dotgit and is_hfs_dotgit).
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_DOT_GIT = re.compile(r"(?:^|\\)(?:\.git|git~1)[ .]*(?:[:\\]|$)", re.IGNORECASE)

_SYMLINK, _SUBMODULE = 0o120000, 0o160000
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def reason_by_path(raw_path: bytes, mode: int) -> SkipReason | None:
    """The reason that needs no look at the file's bytes. `mode` is the raw mode of the tree's entry."""
    if mode & 0o170000 == _SUBMODULE:
        return SkipReason.SUBMODULE
    if mode & 0o170000 == _SYMLINK:
        return SkipReason.SYMLINK
    try:
        path = raw_path.decode()
    except UnicodeDecodeError:
        return SkipReason.NOT_UTF8_PATH
    parts = path.split("/")
    if len(raw_path) > _PATH_BYTES or any(map(_is_unsafe, parts)):
        return SkipReason.UNSAFE_PATH
    if not _VENDORED_FOLDERS.isdisjoint(part.lower() for part in parts[:-1]):
        return SkipReason.VENDORED
    return SkipReason.GENERATED if _has_generated_name(parts[-1].lower()) else None


def is_unsafe_path(raw_path: bytes) -> bool:
    """Whether some system would take a part of the path for .git, or for no name at all."""
    parts = raw_path.decode(errors="surrogateescape").split("/")
    return len(raw_path) > _PATH_BYTES or any(map(_is_unsafe, parts))


def reason_by_size(size: int, *, max_bytes: int) -> SkipReason | None:
    if size == 0:
        return SkipReason.EMPTY
    return SkipReason.TOO_LARGE if size > max_bytes else None


def text_of(content: bytes) -> str | SkipReason:
    """The file's text as Claude would see it, or why it has none."""
    if content.startswith(_LFS_HEADER) and len(content) < _LFS_BYTES:
        return SkipReason.LFS_POINTER
    text = read_text(content)
    if text is not None:
        return text.shown
    return SkipReason.ENCODING if content.startswith(_UTF16) else SkipReason.BINARY


def is_marked_as_generated(text: str) -> bool:
    """Whether one of the first lines says that a program wrote the file."""
    start = text[:_MARKER_CHARACTERS]
    if "generated" not in start.lower():  # nearly always, and much quicker than the expression
        return False
    return any(_MARKER.search(line) for line in start.splitlines()[:_MARKER_LINES])


def _is_unsafe(part: str) -> bool:
    return part in {"", ".", ".."} or _DOT_GIT.search(_HFS_IGNORED.sub("", part)) is not None


def _has_generated_name(name: str) -> bool:
    return name in _GENERATED_NAMES or name.endswith(_GENERATED_ENDINGS) or ".generated." in name
