"""Which failures are alike: the same code, and the same message but for what it is about."""

import re

_QUOTED = re.compile(r"`[^`\n]*`|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)")
_PATH = re.compile(r"(?<![\w…])[\w.@~+-]*(?:/[\w.@~+-]+)+/?|(?<![\w…])[\w-]+\.[A-Za-z]{1,5}\b(?!\()")
_HEX = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b|\b0x[0-9a-fA-F]+\b")
_NUMBER = re.compile(r"\d[\d,.]*(?<![,.])")
_SPACE = re.compile(r"\s+")


def normal_message(message: str) -> str:
    """With … for quoted names, paths, hexadecimal ids and numbers."""
    for pattern in (_QUOTED, _PATH, _HEX, _NUMBER):
        message = pattern.sub("…", message)
    return _SPACE.sub(" ", message).strip()
