"""Code that has to go."""

import re

import tree_sitter

from evals.migration import Files, Migration, each_file
from evals.parsed import Change, Syntax, changed, nodes, text
from evals.sources import containing, package_files

_MARK = b"@typing_extensions.deprecated("


def _repositories() -> dict[str, Files]:
    return {"methods-deleted": containing(package_files("pydantic", "*.py"), _MARK, others=5)}


def _right(data: bytes) -> bytes:
    found = [node for node in nodes(data, Syntax.PYTHON, "decorated_definition") if _is_deprecated_method(node)]
    return changed(data, [_deletion(data, node) for node in found])


def _is_deprecated_method(node: tree_sitter.Node) -> bool:
    inside = node.child_by_field_name("definition")
    decorators = [text(child) for child in node.children if child.type == "decorator"]
    is_function = inside is not None and inside.type == "function_definition"
    return is_function and node.start_point.column == 4 and any(one.startswith(_MARK) for one in decorators)


def _deletion(data: bytes, node: tree_sitter.Node) -> Change:
    """From the first decorator's line to the last line, with the blank lines that follow."""
    start = data.rindex(b"\n", 0, node.start_byte) + 1
    following = re.compile(rb"[^\n]*\n(?:[ \t]*\n)*").match(data, node.end_byte)
    return Change(start, following.end() if following else len(data), b"")


def _good(path: str, source: str) -> str:
    """Line by line, by indentation alone."""
    if not path.endswith(".py") or _MARK.decode() not in source:
        return source
    kept: list[str] = []
    blocks = re.split(r"(?m)^(?=    (?! )\S)", source)
    decorators: list[str] = []
    for block in blocks:
        if block.startswith(("    @", "    )")):
            decorators.append(block)
            continue
        if block.startswith(("    def ", "    async def ")) and _MARK.decode() in "".join(decorators):
            block = _beyond(block)
            decorators = []
        kept += [*decorators, block]
        decorators = []
    return "".join([*kept, *decorators])


def _beyond(block: str) -> str:
    """What comes after the function with which the block begins: code of the module."""
    after = re.search(r"(?m)^(?=\S)", block)
    return block[after.start() :] if after else ""


METHODS_DELETED = Migration(
    name="methods-deleted",
    hard="whole methods go, with several decorators each, from classes of which the rest stays",
    prompt="Delete every method that has the decorator @typing_extensions.deprecated(…): all its decorators, its body, "
    "and the blank lines that follow it. Leave imports, everything at the level of the module, and what has another "
    "decorator alone as they are.",
    repositories=_repositories,
    oracle=each_file(_right, ".py"),
    good=_good,
    changes=1,
    match=r"(?m)^    @typing_extensions\.deprecated\(",
)
