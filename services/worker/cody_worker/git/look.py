"""Look into a repository beyond its candidates: one file, a text in all files, or the places of a plan's matches."""

import re
from bisect import bisect_right
from collections.abc import Iterator

import pathspec
from msgspec import Struct

from cody_worker.git.object_store import ObjectStore
from cody_worker.git.scope import NotACandidate, SkipReason
from cody_worker.git.skip_reasons import reason_by_path, text_of
from cody_worker.git.trees import walk_files

_KIND, _FILE = 0o170000, 0o100000
_MOST_FILE_BYTES = 1 << 20
_MOST_BYTES = 64 << 20
_MOST_MATCHES = 2_000


class FoundLine(Struct, frozen=True, kw_only=True):
    """`line` counts from 1; `text` may be cut."""

    path: str
    line: int
    text: str


class Found(Struct, frozen=True, kw_only=True):
    """Sorted by path and line. `whole`: there is nothing more to be found."""

    lines: tuple[FoundLine, ...]
    whole: bool


class SearchRules(Struct, frozen=True, kw_only=True):
    """`text` is literal; `paths` is one gitignore-style pattern, empty for all files."""

    text: str
    paths: str
    most_lines: int
    most_characters: int


def search_text(store: ObjectStore, root: bytes, rules: SearchRules) -> Found:
    """Files that are never sent to Claude are not searched. Raises `NotACandidate` for a pattern that is none."""
    found: list[FoundLine] = []
    looked_at = 0
    for path, content in _contents(store, root, _spec(rules.paths)):
        looked_at += len(content)
        if looked_at > _MOST_BYTES:
            return _bounded(found, rules, whole=False)
        found += _lines(path, content, rules)
    return _bounded(found, rules, whole=True)


def find_matches(content: bytes, patterns: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """In the file as Claude is shown it; see `match_lines`."""
    text = text_of(content) if patterns else SkipReason.EMPTY
    return () if isinstance(text, SkipReason) else match_lines(text, patterns)


def match_lines(text: str, patterns: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """First and last line, counted from 1, of what the regular expressions (with MULTILINE) match, in order."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    lines: set[tuple[int, int]] = set()
    for pattern in patterns:
        for match in re.finditer(pattern, text, re.MULTILINE):
            if match.end() > match.start():
                lines.add((bisect_right(starts, match.start()), bisect_right(starts, match.end() - 1)))
            if len(lines) >= _MOST_MATCHES:
                return tuple(sorted(lines))
    return tuple(sorted(lines))


def _spec(pattern: str) -> pathspec.GitIgnoreSpec | None:
    if not pattern:
        return None
    try:
        return pathspec.GitIgnoreSpec.from_lines([pattern])
    except (ValueError, re.error) as error:
        raise NotACandidate(f"{pattern!r} is no pattern: {error}") from error


def _contents(store: ObjectStore, root: bytes, spec: pathspec.GitIgnoreSpec | None) -> Iterator[tuple[str, bytes]]:
    for file in walk_files(store, root):
        if file.mode & _KIND != _FILE or reason_by_path(file.path, file.mode) is not None:
            continue
        path = file.path.decode()
        if (spec is None or spec.match_file(path)) and store.size_of_blob(file.id) <= _MOST_FILE_BYTES:
            yield path, store.read_blob(file.id)


def _lines(path: str, content: bytes, rules: SearchRules) -> Iterator[FoundLine]:
    if rules.text.encode() not in content:  # quicker than decoding; files in UTF-16 are not searched
        return
    text = text_of(content)
    if isinstance(text, SkipReason):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if rules.text in line:
            yield FoundLine(path=path, line=number, text=line[: rules.most_characters])


def _bounded(found: list[FoundLine], rules: SearchRules, *, whole: bool) -> Found:
    found.sort(key=lambda line: (line.path, line.line))
    return Found(lines=tuple(found[: rules.most_lines]), whole=whole and len(found) <= rules.most_lines)
