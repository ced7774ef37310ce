"""What a repository's `.gitignore` files say about a path, as git reads them."""

import re
from typing import NamedTuple

import pathspec

_MOST_BYTES = 262_144


class _Level(NamedTuple):
    folder: str
    patterns: pathspec.GitIgnoreSpec


class IgnoreRules:
    """Of one folder and those above it; the deepest that says anything decides."""

    def __init__(self, levels: tuple[_Level, ...] = ()) -> None:
        self._levels = levels

    def below(self, folder: str, gitignore: bytes) -> "IgnoreRules":
        """With those of the file in `folder`, which ends with '/' unless it is the root. Lines that are wrong are
        passed over."""
        lines = [
            line for line in gitignore[:_MOST_BYTES].decode(errors="surrogateescape").splitlines() if _is_right(line)
        ]
        return IgnoreRules((_Level(folder, pathspec.GitIgnoreSpec.from_lines(lines)), *self._levels))

    def ignores(self, path: str) -> bool:
        """`path` ends with '/' when it is a folder's. Whatever is below an ignored folder is not asked about."""
        for level in self._levels:
            verdict = level.patterns.check_file(path.removeprefix(level.folder)).include
            if verdict is not None:
                return verdict
        return False


def _is_right(line: str) -> bool:
    try:
        pathspec.GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
