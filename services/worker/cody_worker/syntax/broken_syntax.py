"""Does a file still parse as well as it did?"""

import re
from collections import Counter
from pathlib import PurePosixPath

from cody_worker.file_text import read_text
from cody_worker.syntax.languages import Language, language_of
from cody_worker.syntax.strict_parsers import has_strict_parser, strict_error
from cody_worker.syntax.syntax_errors import SyntaxFault, has_newer_python, syntax_faults

_WEAK_GRAMMARS = frozenset({Language.CSS, Language.DOCKERFILE, Language.GROOVY, Language.SQL})
"""They see errors in much that is right (dialects, newer words), so a file with errors is not judged by them."""

_UNSURE_GRAMMARS = _WEAK_GRAMMARS | {Language.C, Language.CPP, Language.KOTLIN, Language.SCALA, Language.SWIFT}
"""They see some (macros, newer words), so a file that is made is not judged by them."""

_JSON_WITH_COMMENTS = re.compile(
    r"(?:ts|js)config\b.*|devcontainer|\.?(?:eslintrc|swcrc|babelrc|jshintrc)|settings|launch|tasks|extensions",
    re.IGNORECASE,
)


def broken_syntax(path: str, before: bytes | None, after: bytes) -> str | None:
    """What is wrong with the syntax of `after` and was not with `before` (None: a file that is made), or None.

    Where there is a strict parser, it decides; but a file that it refused before (a template, another version of the
    language) is judged by its grammar, as all others are: it may keep as many errors as it had. Blocking: a large file
    takes a second.
    """
    language = language_of(path)
    if language is None or language is Language.MARKDOWN:  # to Markdown, every text is right
        return None
    if not has_strict_parser(language):
        return _more_faults(language, before, after)
    error = strict_error(language, after)
    if error is None:
        return None
    if _was_strict(path, language, before) and not (language is Language.PYTHON and has_newer_python(_utf8(after))):
        return error
    return _more_faults(language, before, after)


def _was_strict(path: str, language: Language, before: bytes | None) -> bool:
    if before is None:
        return not (language is Language.JSON and _may_have_comments(path))
    return strict_error(language, before) is None


def _may_have_comments(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix.lower() == ".jsonc" or _JSON_WITH_COMMENTS.fullmatch(pure.stem) is not None


def _more_faults(language: Language, before: bytes | None, after: bytes) -> str | None:
    if before is None and language in _UNSURE_GRAMMARS:
        return None
    faults = syntax_faults(language, _utf8(after))
    if not faults:
        return None
    known = syntax_faults(language, _utf8(before or b""))
    if known is None or len(faults) <= len(known) or (known and language in _WEAK_GRAMMARS):
        return None
    return str(_first_new(faults, known))


def _first_new(faults: tuple[SyntaxFault, ...], known: tuple[SyntaxFault, ...]) -> SyntaxFault:
    left = Counter((fault.text, fault.missing) for fault in known)
    for fault in faults:
        left[fault.text, fault.missing] -= 1
        if left[fault.text, fault.missing] < 0:
            return fault
    return faults[0]


def _utf8(data: bytes) -> bytes:
    text = read_text(data)
    return data if text is None else text.source.encode()
