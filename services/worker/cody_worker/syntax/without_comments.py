"""A file's code alone, for whoever looks in it for words."""

from collections.abc import Iterable, Sequence
from functools import cache

import tree_sitter

from cody_worker.syntax.grammars import grammar_of, query_of
from cody_worker.syntax.languages import Language
from cody_worker.syntax.parse_tree import parse_tree

_TEXTS = frozenset(
    """heredoc_content interpreted_string_literal_content jsx_text line_str_text multi_line_str_text
    multiline_string_fragment nowdoc_string raw_str_part raw_string_content raw_string_literal_content string_content
    string_fragment string_literal_content""".split()  # noqa: SIM905 (words read better than a page of literals)
)
"""What grammars call the text of a string, without its quotes and the code in it."""
_STRINGS_THAT_ARE_REMARKS = {Language.PYTHON: "(string) @string (expression_statement (string) @comment)"}


def without_comments(language: Language, text: str) -> str:
    """The text with its comments, and with strings that serve as such, blanked: every line
    keeps its number. Unchanged where it cannot be parsed within bounds."""
    return _without(language, text, _comments(language))[0]


def without_strings(language: Language, text: str) -> tuple[str, str]:
    """The same, and the text with its comments and the text of its strings blanked, but not the code in these."""
    without, bare = _without(language, text, _comments(language), _texts(language))
    return without, bare


def _without(language: Language, text: str, *queries: str) -> list[str]:
    data = text.encode()
    tree = parse_tree(language, data) if any(queries) else None
    return [text if tree is None or not query else _captured(language, data, tree, query) for query in queries]


def _captured(language: Language, data: bytes, tree: tree_sitter.Tree, query: str) -> str:
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
    kinds = (kind for kind in _kinds(language) if kind.endswith("comment"))
    return " ".join((*(f"({kind}) @comment" for kind in kinds), _STRINGS_THAT_ARE_REMARKS.get(language, "")))


@cache
def _texts(language: Language) -> str:
    is_text = {*_TEXTS, "string"} if language is Language.SCALA else _TEXTS
    return " ".join(f"({kind}) @comment" for kind in _kinds(language) if kind.endswith("comment") or kind in is_text)


def _kinds(language: Language) -> Sequence[str]:
    grammar = grammar_of(language)
    numbers = filter(grammar.node_kind_is_named, range(grammar.node_kind_count))
    return sorted({kind for number in numbers if (kind := grammar.node_kind_for_id(number))})
