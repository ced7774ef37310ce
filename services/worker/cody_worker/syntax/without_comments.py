"""A file's code alone, for whoever looks in it for words."""

from collections.abc import Iterable
from functools import cache

import tree_sitter

from cody_worker.syntax.grammars import grammar_of, query_of
from cody_worker.syntax.languages import Language
from cody_worker.syntax.parse_tree import parse_tree

_STRINGS_THAT_ARE_REMARKS = {Language.PYTHON: "(string) @string"}


def without_comments(language: Language, text: str) -> str:
    """The text with its comments, and with strings of several lines where these serve as such, blanked: every line
    keeps its number. Unchanged where it cannot be parsed within bounds."""
    data = text.encode()
    tree, query = parse_tree(language, data), _comments(language)
    if tree is None or not query:
        return text
    captures = tree_sitter.QueryCursor(query_of(language, query)).captures(tree.root_node)
    nodes = (*captures.get("comment", ()), *filter(_has_lines, captures.get("string", ())))
    return _blanked(data, sorted(node.byte_range for node in nodes)).decode(errors="replace")


def _blanked(data: bytes, ranges: Iterable[tuple[int, int]]) -> bytes:
    parts: list[bytes] = []
    done = 0
    for start, end in ranges:
        if end <= done:  # one within another
            continue
        parts += [data[done : max(start, done)], b" ", b"\n" * data.count(b"\n", max(start, done), end)]
        done = end
    return b"".join((*parts, data[done:]))


def _has_lines(node: tree_sitter.Node) -> bool:
    return node.start_point[0] != node.end_point[0]


@cache
def _comments(language: Language) -> str:
    """A query for all that a grammar calls some kind of comment."""
    grammar = grammar_of(language)
    numbers = filter(grammar.node_kind_is_named, range(grammar.node_kind_count))
    kinds = {kind for number in numbers if (kind := grammar.node_kind_for_id(number)) and kind.endswith("comment")}
    return " ".join((*(f"({kind}) @comment" for kind in sorted(kinds)), _STRINGS_THAT_ARE_REMARKS.get(language, "")))
