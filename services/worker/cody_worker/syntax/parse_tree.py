"""Parse a file of any language that we have a grammar for, within bounds: what is parsed comes from strangers.

tree-sitter takes memory that grows with the square of the nesting of what might be type arguments (200 KB of `a<` took
24 GB), and where memory ends it ends the process. So deep nesting is found by counting before it is parsed, and what
takes long is given up.
"""

import re
import time

import tree_sitter

from cody_worker.syntax.grammars import grammar_of
from cody_worker.syntax.languages import Language

MAX_PARSED_BYTES = 1 << 20
_CPU_SECONDS = 1.0
_DEPTH = 500
_CHUNK = 1 << 16
_BRACKETS = re.compile(rb"[(\[{)\]}]")
_WITH_ANGLES = re.compile(rb"[(\[{)\]}<;]")
_STEP = {b"(": 1, b"[": 1, b"{": 1, b")": -1, b"]": -1, b"}": -1, b"<": 0, b";": 0}
_TYPE_ARGUMENTS = frozenset(
    {
        Language.C_SHARP,
        Language.CPP,
        Language.GROOVY,
        Language.JAVA,
        Language.KOTLIN,
        Language.RUST,
        Language.SCALA,
        Language.SWIFT,
        Language.TSX,
        Language.TYPESCRIPT,
    }
)


def parse_tree(language: Language, data: bytes) -> tree_sitter.Tree | None:
    """The tree of UTF-8 bytes, or None where they are too many, too deeply nested or too hard. Offsets are bytes.

    Holds the interpreter, but lets other threads in now and then.
    """
    if len(data) > MAX_PARSED_BYTES or is_too_deep(language, data):
        return None
    end = time.thread_time() + _CPU_SECONDS
    try:
        return tree_sitter.Parser(grammar_of(language)).parse(
            lambda offset, _point: data[offset : offset + _CHUNK],
            progress_callback=lambda _offset, _has_error: time.thread_time() > end,
        )
    except ValueError:  # the callback stopped it
        return None


def is_too_deep(language: Language, data: bytes) -> bool:
    """Brackets that stay open above a depth that no person writes. `<` counts where it may open type arguments, up to
    what must end them: it is the less-than sign as well."""
    depth = angles = 0
    for match in (_WITH_ANGLES if language in _TYPE_ARGUMENTS else _BRACKETS).finditer(data):
        sign = match[0]
        angles = angles + 1 if sign == b"<" else 0 if sign in b";{}" else angles
        depth = max(depth + _STEP[sign], 0)
        if depth > _DEPTH or angles > _DEPTH:
            return True
    return False
