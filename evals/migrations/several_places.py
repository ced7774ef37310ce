"""Several places in one file, some of them inside of others."""

import re

import tree_sitter

from evals.in_code import replace_in_python
from evals.migration import Files, Migration, each_file
from evals.parsed import Change, Syntax, changed, nodes, text
from evals.sources import containing, package_files

_CALL = (
    r"\bisinstance\((?P<first>(?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*), "
    r"\((?P<types>[A-Za-z_][\w.]*(?:, [A-Za-z_][\w.]*)+)\)\)"
)


def _repositories() -> dict[str, Files]:
    packages = ("pydantic", "jsonschema", "werkzeug")
    return {
        f"several-places-{name}": containing(package_files(name, limit=60), b"isinstance(", others=5)
        for name in packages
    }


def _right(data: bytes) -> bytes:
    return changed(data, [change for node in nodes(data, Syntax.PYTHON, "call") for change in _union(node)])


def _union(call: tree_sitter.Node) -> list[Change]:
    """The second argument as a union, where the call is an `isinstance` on one line with a tuple of plain names."""
    function, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or given is None or text(function) != b"isinstance" or len(given.named_children) != 2:
        return []
    types = given.named_children[1]
    if call.start_point.row != call.end_point.row or types.type != "tuple" or len(types.named_children) < 2:
        return []
    if any(one.type not in {"identifier", "attribute"} for one in types.named_children):
        return []
    return [Change(types.start_byte, types.end_byte, b" | ".join(map(text, types.named_children)))]


def _with_bar(found: re.Match[str]) -> str:
    return f"isinstance({found['first']}, {found['types'].replace(', ', ' | ')})"


def _good(path: str, source: str) -> str:
    return replace_in_python(_CALL, _with_bar)(source) if path.endswith(".py") else source


SEVERAL_PLACES = Migration(
    name="several-places",
    hard="several places in a file, in conditions and in f-strings, with look-alikes that have to stay",
    prompt="Rewrite isinstance(x, (A, B)) to isinstance(x, A | B): only where the second argument is a tuple of two or "
    "more plain or dotted names and the whole call is on one line. Strings and comments stay, but code in f-strings "
    "does not.",
    repositories=_repositories,
    oracle=each_file(_right, ".py"),
    good=_good,
    changes=12,
    match=r"isinstance\(.*, \([\w., ]+\)\)",
)
