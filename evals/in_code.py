"""Rules over text for the good Claude: regular expressions that leave strings and comments out, without a parser."""

import re
from collections.abc import Callable

Replacement = Callable[[re.Match[str]], str]

_TRIPLE = r"""(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\")"""
_SINGLE = r"""(?:'(?:\\.|[^\\'\n])*'|"(?:\\.|[^\\"\n])*")"""
_PYTHON = (
    rf"(?P<formatted>(?<!\w)(?:[fF][rR]?|[rR][fF])(?:{_TRIPLE}|{_SINGLE}))|(?P<skipped>{_TRIPLE}|{_SINGLE}|\#[^\n]*)"
)
_JAVASCRIPT = rf"(?P<formatted>(?!))|(?P<skipped>{_SINGLE}|//[^\n]*|/\*.*?\*/)"

_IN_BRACES = re.compile(r"(?<!\{)\{[^{}]*\}(?!\})")
"""Code in a formatted string."""


def replace_in_python(pattern: str, replacement: Replacement) -> Callable[[str], str]:
    """In code and in f-strings, which have code in them; in no other string and no comment."""
    return _replace(_PYTHON, pattern, replacement)


def replace_in_javascript(pattern: str, replacement: Replacement) -> Callable[[str], str]:
    return _replace(_JAVASCRIPT, pattern, replacement)


def rename_in_python(old: str, new: str) -> Callable[[str, str], str]:
    rewrite = replace_in_python(rf"\b{old}\b", lambda _: new)
    return lambda path, text: rewrite(text) if path.endswith((".py", ".pyi")) else text


def _replace(others: str, pattern: str, replacement: Replacement) -> Callable[[str], str]:
    expression = re.compile(rf"{others}|{pattern}", re.DOTALL)

    def rewrite(found: re.Match[str]) -> str:
        if found["formatted"] is not None:
            return _IN_BRACES.sub(lambda braces: expression.sub(rewrite, braces[0]), found[0])
        return found[0] if found["skipped"] is not None else replacement(found)

    return lambda text: expression.sub(rewrite, text)
