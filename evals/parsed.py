"""What oracles see of a file: its syntax tree by tree-sitter, with places in bytes."""

from collections.abc import Callable, Iterable
from enum import StrEnum

import tree_sitter
import tree_sitter_json
import tree_sitter_python
from msgspec import Struct


class Syntax(StrEnum):
    PYTHON = "python"
    JSON = "json"


class Change(Struct, frozen=True, order=True):
    """The bytes from `start` to `end` (exclusive) become `new`."""

    start: int
    end: int
    new: bytes


def nodes(data: bytes, syntax: Syntax, kind: str) -> list[tree_sitter.Node]:
    """All nodes of this kind, in the order of their places."""
    grammar = tree_sitter_python if syntax is Syntax.PYTHON else tree_sitter_json
    language = tree_sitter.Language(grammar.language())
    tree = tree_sitter.Parser(language).parse(data)
    found = tree_sitter.QueryCursor(tree_sitter.Query(language, f"({kind}) @found")).captures(tree.root_node)
    return sorted(found.get("found", []), key=lambda node: (node.start_byte, -node.end_byte))


def text(node: tree_sitter.Node) -> bytes:
    return node.text or b""


def changed(data: bytes, changes: Iterable[Change]) -> bytes:
    """The data with the changes made. Raises `ValueError` where two of them overlap."""
    pieces, done = list[bytes](), 0
    for change in sorted(changes):
        if change.start < done:
            raise ValueError(f"two changes at byte {change.start}")
        pieces += [data[done : change.start], change.new]
        done = change.end
    return b"".join([*pieces, data[done:]])


def renamed(old: str, new: str) -> Callable[[bytes], bytes]:
    """An oracle for a Python file: every identifier `old` becomes `new`; strings and comments stay."""

    def rewrite(data: bytes) -> bytes:
        if old.encode() not in data:
            return data
        found = [node for node in nodes(data, Syntax.PYTHON, "identifier") if text(node) == old.encode()]
        return changed(data, [Change(node.start_byte, node.end_byte, new.encode()) for node in found])

    return rewrite
