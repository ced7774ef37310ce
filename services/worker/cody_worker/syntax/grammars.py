"""tree-sitter's grammars, each loaded when it is first needed, and once."""

import ctypes
import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import cast

import tree_sitter

from cody_worker.syntax.languages import Language

_CAPSULE_NAME = b"tree_sitter.Language"
"""What tree-sitter calls a capsule. The pointer to these bytes is kept, so they live as long as the program."""

_ODD_PLACES: Mapping[Language, tuple[str, str]] = {
    Language.C_SHARP: ("tree_sitter_c_sharp", "language"),
    Language.PHP: ("tree_sitter_php", "language_php"),
    Language.TSX: ("tree_sitter_typescript", "language_tsx"),
    Language.TYPESCRIPT: ("tree_sitter_typescript", "language_typescript"),
    Language.XML: ("tree_sitter_xml", "language_xml"),
}


@cache
def grammar_of(language: Language) -> tree_sitter.Language:
    module, function = _ODD_PLACES.get(language, (f"tree_sitter_{language}", "language"))
    load = cast("Callable[[], object]", getattr(importlib.import_module(module), function))
    return tree_sitter.Language(_capsule(load()))


@cache
def query_of(language: Language, source: str) -> tree_sitter.Query:
    return tree_sitter.Query(grammar_of(language), source)


def _capsule(grammar: object) -> object:
    """Older wheels give the address as a number, which tree-sitter still takes but warns about."""
    if not isinstance(grammar, int):
        return grammar
    make = ctypes.pythonapi.PyCapsule_New
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return cast("object", make(grammar, _CAPSULE_NAME, None))
