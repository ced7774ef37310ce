"""Imports that have to be split, or replaced."""

import ast
import re

from evals.migration import Files, Migration, each_file
from evals.sources import containing, package_files

_MOVED = ("Callable", "Collection", "Generator", "Iterable", "Iterator", "Mapping", "MutableMapping", "Sequence")
_PROMPT = f"""\
Import abstract collections from where they are at home. Where a line `from typing import …` imports any of
{", ".join(_MOVED)}: import those by a line `from collections.abc import …` right before it, with the same
indentation, in the order in which they stood, and the others by what is left of the typing line, in their order. If
no other is left, the typing line goes. Only where the import is on one line, has no parentheses, no comment and no
`as`; leave all other imports, and everything else, as they are."""
_LINE = re.compile(r"^([ \t]*)from typing import ([\w, \t]+)$", re.MULTILINE)


def _repositories() -> dict[str, Files]:
    return {
        "imports-rich": containing(package_files("rich", limit=70), b"from typing import", others=10),
        "imports-aiohttp": containing(package_files("aiohttp", limit=30), b"from typing import", others=10),
    }


def _right(data: bytes) -> bytes:
    """By Python's own parser."""
    if b"from typing import" not in data:
        return data
    lines = data.decode().split("\n")
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.ImportFrom) and node.module == "typing" and _is_plain(node, lines[node.lineno - 1]):
            indent = lines[node.lineno - 1][: node.col_offset]
            lines[node.lineno - 1] = f"\n{indent}".join([indent + part for part in _imports(node)]).replace(
                f"\n{indent}{indent}", f"\n{indent}"
            )
    return "\n".join(lines).encode()


def _is_plain(node: ast.ImportFrom, line: str) -> bool:
    if node.lineno != node.end_lineno or any(alias.asname for alias in node.names):
        return False
    return not set("(#;\\") & set(line) and any(alias.name in _MOVED for alias in node.names)


def _imports(node: ast.ImportFrom) -> list[str]:
    moved = [alias.name for alias in node.names if alias.name in _MOVED]
    kept = [alias.name for alias in node.names if alias.name not in _MOVED]
    kept_line = [f"from typing import {', '.join(kept)}"] if kept else []
    return [f"from collections.abc import {', '.join(moved)}", *kept_line]


def _good(path: str, text: str) -> str:
    return _LINE.sub(_split, text) if path.endswith(".py") else text


def _split(found: re.Match[str]) -> str:
    words = [word.strip() for word in found[2].split(",")]
    moved, kept = [word for word in words if word in _MOVED], [word for word in words if word not in _MOVED]
    if not moved or any(" " in word for word in words):
        return found[0]
    first = f"{found[1]}from collections.abc import {', '.join(moved)}"
    return f"{first}\n{found[1]}from typing import {', '.join(kept)}" if kept else first


IMPORTS_MOVED = Migration(
    name="imports",
    hard="one import becomes two, or another one; several names on a line",
    prompt=_PROMPT,
    repositories=_repositories,
    oracle=each_file(_right, ".py"),
    good=_good,
    changes=10,
    match=rf"(?m)^[ \t]*from typing import .*\b(?:{'|'.join(_MOVED)})\b",
)
