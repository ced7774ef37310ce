"""Code that has to go."""

import re

import tree_sitter

from evals.migration import Files, Migration, each_file
from evals.parsed import Change, Syntax, changed, nodes, text
from evals.sources import containing, package_files

_MARKS = frozenset({b"@overload", b"@t.overload", b"@typing.overload"})
_OVERLOAD = re.compile(
    r"^(?P<indent>[ \t]*)(?:@[^\n]*\n(?P=indent))*?@(?:t\.|typing\.)?overload\b[^\n]*\n"
    r"(?:(?P=indent)@[^\n]*\n)*(?P=indent)(?:async )?def [^\n]*\n"
    r"(?:(?P=indent)[ \t][^\n]*\n|(?P=indent)\)[^\n]*\n|[ \t]*\n)*",
    re.MULTILINE,
)
"""By lines and their indentation: what is indented deeper, a bracket that closes, and blank lines belong to it."""


def _repositories() -> dict[str, Files]:
    return {
        "overloads-deleted-click": containing(_short(package_files("click")), b"overload", others=5),
        "overloads-deleted-werkzeug": containing(_short(package_files("werkzeug", "*/*.py")), b"overload", others=5),
    }


def _short(files: Files) -> Files:
    return {path: data for path, data in files.items() if len(data) < 36_000}


def _right(data: bytes) -> bytes:
    found = [node for node in nodes(data, Syntax.PYTHON, "decorated_definition") if _is_overload(node)]
    return changed(data, [_deletion(data, node) for node in found])


def _is_overload(node: tree_sitter.Node) -> bool:
    return any(child.type == "decorator" and text(child) in _MARKS for child in node.children)


def _deletion(data: bytes, node: tree_sitter.Node) -> Change:
    """From the first decorator's line to the last line, with the blank lines that follow."""
    start = data.rfind(b"\n", 0, node.start_byte) + 1
    following = re.compile(rb"[^\n]*\n(?:[ \t]*\n)*").match(data, node.end_byte)
    return Change(start, following.end() if following else len(data), b"")


OVERLOADS_DELETED = Migration(
    name="overloads-deleted",
    hard="whole functions go, some with several decorators or long signatures, from among others of the same name",
    prompt="Delete every overload: each function or method that has the decorator @overload, @t.overload or "
    "@typing.overload, with all its decorators, its body, and the blank lines that follow it. The implementation, "
    "imports, and everything else stay as they are.",
    repositories=_repositories,
    oracle=each_file(_right, ".py"),
    good=lambda path, source: _OVERLOAD.sub("", source) if path.endswith(".py") else source,
    changes=8,
    match=r"@(?:t\.|typing\.)?overload\b",
)
