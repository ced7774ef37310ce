"""Which of a repository's files an output names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

_TOKEN = re.compile(r"[^\s\"'`()\[\]{}<>|,;:=*]+")
_PLAIN = re.compile(r"[^\s\"'`()\[\]{}<>|,;:=*]+\Z")
_SYSTEM = ("/usr/", "/opt/", "/lib/", "/lib64/", "/bin/", "/etc/", "/proc/", "/home/", "/root/", "/nix/", "/tmp/")  # noqa: S108 (in outputs)
_ALIKE = 3
"""A name that more files share than this says nothing about any of them."""


def files_named(output: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that an output of compilers, tests or linters names, in the order in which it does.

    Understood are a path as it is, after './', after the work tree's folder, with ':line:col', '(line,col)' or
    '::test' behind it, with '\\' between names, and the end of one (from a folder further down, or a bare name as in
    Java's stack traces) where few files end like that.
    """
    known = tuple(paths)
    by_name = _by_name(known)
    found: dict[str, int] = {}
    for at, token in _tokens(output):
        for path in _meant(token, by_name):
            found.setdefault(path, at)
    for path in known:
        if _PLAIN.match(path) is None and (at := output.find(path)) >= 0:
            found.setdefault(path, at)
    return tuple(sorted(found, key=lambda path: found[path]))


def _by_name(paths: Iterable[str]) -> Mapping[str, Sequence[str]]:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        names[path.rpartition("/")[2]].append(path)
    return names


def _tokens(output: str) -> Iterator[tuple[int, str]]:
    for match in _TOKEN.finditer(output):
        yield match.start(), match[0].replace("\\", "/").rstrip(".!?/")


def _meant(token: str, by_name: Mapping[str, Sequence[str]]) -> Sequence[str]:
    alike = by_name.get(token.rpartition("/")[2], ())
    if not alike or token.startswith(_SYSTEM):
        return ()
    token = re.sub(r"^(?:\.{1,2}/)+", "", re.sub(r"/{2,}", "/", token))
    whole = [path for path in alike if token == path or token.endswith("/" + path)]
    if whole:
        return [max(whole, key=len)]
    ends = [path for path in alike if path.endswith("/" + token)]
    return ends if len(ends) <= _ALIKE else ()
