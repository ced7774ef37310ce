"""Bytes that have to stay what they are: line ends, marks and encodings."""

import codecs
from collections.abc import Callable, Mapping

from evals.in_code import rename_in_python
from evals.migration import Files, Migration
from evals.parsed import renamed
from evals.sources import package_files

_OLD, _NEW = "author_separators", "author_delimiters"


def _latin_1(data: bytes) -> bytes:
    """In latin-1 where the language's letters are in it; Python is told by the usual comment."""
    try:
        return b"# -*- coding: latin-1 -*-\n" + data.decode().encode("latin-1")
    except UnicodeEncodeError:
        return data


_FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "mixed": lambda data: data.replace(b"\n", b"\r\n", data.count(b"\n") // 2),
    "mark": lambda data: codecs.BOM_UTF8 + data,
    "latin-1": _latin_1,
    "utf-16": lambda data: codecs.BOM_UTF16_LE + data.decode().encode("utf-16-le"),
    "no-last-newline": lambda data: data.rstrip(b"\n"),
}
"""By the folder that the files are put into."""


def _repositories() -> dict[str, Files]:
    files = package_files("docutils", "languages/*.py")
    forms = list(_FORMS)
    chosen = {path: forms[number % len(forms)] for number, path in enumerate(files)}
    return {"encodings": {f"{chosen[path]}/{path}": _FORMS[chosen[path]](data) for path, data in files.items()}}


def _oracle(files: Files) -> Files:
    return {path: _right(path, data) for path, data in files.items()}


def _right(path: str, data: bytes) -> bytes:
    rename = renamed(_OLD, _NEW)
    if not path.startswith("utf-16/"):
        return rename(data)
    return codecs.BOM_UTF16_LE + rename(data[2:].decode("utf-16-le").encode()).decode().encode("utf-16-le")


ENCODINGS_KEPT = Migration(
    name="encodings",
    hard="CRLF, mixed line ends, byte order marks, latin-1, UTF-16, no newline at the end; many alphabets",
    prompt=f"Rename the variable {_OLD} to {_NEW} wherever code assigns or uses it. Comments and strings stay.",
    repositories=_repositories,
    oracle=_oracle,
    good=rename_in_python(_OLD, _NEW),
    changes=20,
    match=_OLD,
)
