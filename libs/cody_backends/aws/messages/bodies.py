"""Bytes as the text that SQS takes: one character at least, and none that XML 1.0 does not know."""

import base64
import binascii
import re
from enum import StrEnum

_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_NOTHING = "-"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Encoding(StrEnum):
    """What was done to a body that could not be sent as it is."""

    BASE64 = "base64"
    EMPTY = "empty"


def is_sendable(text: str) -> bool:
    return bool(text) and not _NOT_XML.search(text)


def made_sendable(text: str) -> str:
    """For people: what SQS refuses is replaced."""
    return _NOT_XML.sub(_REPLACEMENT, text)


def encode_body(body: bytes) -> tuple[str, Encoding | None]:
    if not body:
        return _NOTHING, Encoding.EMPTY
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), Encoding.BASE64
    return (text, None) if is_sendable(text) else (base64.b64encode(body).decode(), Encoding.BASE64)


def decode_body(text: str, encoding: str | None) -> bytes:
    """A body that is not what its encoding says was not written by us: it is taken as it is."""
    if encoding == Encoding.EMPTY:
        return b""
    raw = text.encode(errors="surrogatepass")
    if encoding != Encoding.BASE64:
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        return raw
