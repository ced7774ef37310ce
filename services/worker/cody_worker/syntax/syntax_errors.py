"""The syntax errors of a file, as its grammar sees them."""

from collections.abc import Iterator

import tree_sitter
from msgspec import Struct

from cody_worker.syntax.grammars import query_of
from cody_worker.syntax.languages import Language
from cody_worker.syntax.parse_tree import parse_tree

_NEWER_PYTHON = "(type_alias_statement) @newer (type_parameter) @newer"
SHOWN_CHARACTERS = 120
_LOOKED_AT = 8 * SHOWN_CHARACTERS
"""Of a line, which may be the whole file, and have a fault at every word."""


class SyntaxFault(Struct, frozen=True, kw_only=True):
    """`line` counts from 1; `text` is that line, cut."""

    line: int
    text: str
    missing: str | None

    def __str__(self) -> str:
        what = f"{self.missing!r} is missing" if self.missing else "syntax error"
        return f"line {self.line}: {what}: {self.text}"


def syntax_faults(language: Language, data: bytes) -> tuple[SyntaxFault, ...] | None:
    """Of UTF-8 bytes, in the file's order. None where it cannot be parsed within bounds."""
    tree = parse_tree(language, data)
    if tree is None:
        return None
    if not tree.root_node.has_error:
        return ()
    lines = data.split(b"\n")
    return tuple(_fault(node, lines) for node in _faulty(tree.walk()))


def _faulty(cursor: tree_sitter.TreeCursor) -> Iterator[tree_sitter.Node]:
    """In the file's order. A query for them takes time that grows with the square of a tree deeper than 65,535."""
    while node := cursor.node:
        if node.is_error or node.is_missing:
            yield node
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def has_newer_python(data: bytes) -> bool:
    """Whether it uses syntax that came after the Python we run on, and is right as far as the grammar knows."""
    tree = parse_tree(Language.PYTHON, data)
    if tree is None or tree.root_node.has_error:
        return False
    return bool(tree_sitter.QueryCursor(query_of(Language.PYTHON, _NEWER_PYTHON)).captures(tree.root_node))


def _fault(node: tree_sitter.Node, lines: list[bytes]) -> SyntaxFault:
    row = node.start_point[0]
    text = lines[row][:_LOOKED_AT].decode(errors="replace").strip() if row < len(lines) else ""
    return SyntaxFault(line=row + 1, text=text[:SHOWN_CHARACTERS], missing=node.type if node.is_missing else None)
