"""Where definitions and imports of a file are: by its grammar where we have one, else by indentation and words."""

import re
from collections.abc import Iterator

import tree_sitter
from msgspec import Struct

from cody_worker.syntax import language_of
from cody_worker.syntax.parse_tree import parse_tree
from cody_worker.windows.view import Span, merge_spans

_DEFINITION = re.compile(
    r"(?:^|_)(?:function|method|constructor|class|interface|struct|enum|trait|impl|module|object|protocol|record|"
    r"decorated|namespace|contract|package_clause|block|table|section|element|task|target)(?:$|_)"
    r"|(?:_|^)(?:definition|declaration|item|spec)$"
)
_NO_DEFINITION = re.compile(
    r"import|package|use_|using|parameter|argument|list_item|block_comment|(?:^|_)body$|^block$"
)
_TEXT = re.compile(r"string|comment|heredoc")
_IMPORT_NODE = re.compile(r"import|include|^use_|using|extern_crate|package_clause|package_declaration|package_header")
_IMPORT_LINE = re.compile(
    r"(?:from\s+\S+\s+import\b|import\b|#\s*include\b|#import\b|using\s|use\s|require(?:_relative|_once)?\b|include\b|"
    r"package\s|(?:const|let|var)\s.{0,200}\brequire\(|@import\b|load\()"
)
_TOP_LINES = 400


class Outline(Struct, frozen=True, kw_only=True):
    """`definitions` of any depth, in order; `imports` are those at the top level; `texts` are strings and comments of
    several lines, which must not be cut: half of one looks like code."""

    definitions: tuple[Span, ...]
    imports: tuple[Span, ...]
    texts: tuple[Span, ...] = ()


def outline_of(path: str, text: str) -> Outline:
    """Blocking: a large file takes a second."""
    language = language_of(path)
    tree = None if language is None else parse_tree(language, text.encode("utf-8", "surrogatepass"))
    if tree is None:
        return _by_indentation(text)
    definitions, texts = set[Span](), set[Span]()
    stack = [tree.root_node]
    while stack:
        node = stack.pop()
        if node.parent is not None and node.is_named and _is_definition(node.type):
            definitions.add(_span(node))
        if _TEXT.search(node.type):
            texts.add(_span(node))
        stack.extend(child for child in node.children if child.end_point.row > child.start_point.row)
    imports = [_span(node) for node in tree.root_node.children if _is_import(node.type)]
    return Outline(
        definitions=tuple(sorted(definitions)),
        imports=merge_spans([*imports, *_imports_by_words(text)]),
        texts=tuple(sorted(texts)),
    )


def enclosing(outline: Outline, span: Span) -> list[Span]:
    """The definitions around some lines, from the outermost to the innermost."""
    around = [found for found in outline.definitions if found[0] <= span[0] and span[1] <= found[1]]
    return sorted(around, key=lambda found: (found[0], -found[1]))


def _span(node: tree_sitter.Node) -> Span:
    end = node.end_point
    last = end.row if end.column == 0 and end.row > node.start_point.row else end.row + 1
    return node.start_point.row + 1, last


def _is_definition(kind: str) -> bool:
    return _DEFINITION.search(kind) is not None and _NO_DEFINITION.search(kind) is None


def _is_import(kind: str) -> bool:
    return _IMPORT_NODE.search(kind) is not None


def _by_indentation(text: str) -> Outline:
    lines = text.split("\n")
    return Outline(definitions=tuple(sorted(_blocks(lines))), imports=_imports_by_words(text))


def _blocks(lines: list[str]) -> Iterator[Span]:
    """A line and all that is indented deeper below it, with the line of the same depth that closes it."""
    open_blocks: list[tuple[int, int]] = []
    last = 0
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped:
            continue
        depth = len(line) - len(line.lstrip())
        while open_blocks and depth <= open_blocks[-1][0]:
            _, first = open_blocks.pop()
            closes = (depth == _depth(lines[first - 1]) and stripped[0] in ")]}") or stripped in {"end", "fi", "done"}
            end = number if closes else last
            if end > first:
                yield first, end
        open_blocks.append((depth, number))
        last = number
    for _, first in open_blocks:
        if last > first:
            yield first, last


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _imports_by_words(text: str) -> tuple[Span, ...]:
    """Lines at the top that begin like an import, with what their brackets hold."""
    lines = text.split("\n")[:_TOP_LINES]
    spans: list[Span] = []
    number = 0
    while number < len(lines):
        if _IMPORT_LINE.match(lines[number]) is None:
            number += 1
            continue
        last = _closing_line(lines, number)
        spans.append((number + 1, last + 1))
        number = last + 1
    return merge_spans(spans)


def _closing_line(lines: list[str], first: int) -> int:
    depth = 0
    for number in range(first, min(first + 60, len(lines))):
        depth += sum(map(lines[number].count, "([{")) - sum(map(lines[number].count, ")]}"))
        if depth <= 0 and not lines[number].endswith("\\"):
            return number
    return first
