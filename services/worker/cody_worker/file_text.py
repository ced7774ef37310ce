"""A file as Claude is shown it, and the way back to its bytes: encoding, byte order mark and line endings are kept."""

import codecs
from enum import StrEnum

from msgspec import Struct

from cody_jobs.errors import CodyError


class EncodingNotKept(CodyError):
    """The new text has a character that the file's encoding does not know."""

    code = "encoding_not_kept"


class Encoding(StrEnum):
    UTF_8 = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    LATIN_1 = "latin-1"


class FileText(Struct, frozen=True, kw_only=True):
    """`source` is the decoded file without its byte order mark and with its own line endings; `shown` is the same with
    CRLF as LF, which is what Claude sees (a lone CR stays as it is)."""

    source: str
    shown: str
    encoding: Encoding
    mark: bytes

    def encode(self, source: str) -> bytes:
        """The bytes of a changed `source`. Raises `EncodingNotKept`, also for a NUL: it would make the file binary."""
        if "\0" in source:
            raise EncodingNotKept("the result has a NUL character (U+0000)")
        try:
            return self.mark + source.encode(self.encoding)
        except UnicodeEncodeError as error:
            character, line = error.object[error.start], error.object.count("\n", 0, error.start) + 1
            raise EncodingNotKept(
                f"line {line} of the result has {character!r} (U+{ord(character):04X}), "
                f"which the file's encoding {self.encoding} cannot hold"
            ) from error


def read_text(data: bytes) -> FileText | None:
    """Decode a file, or None where it is binary.

    UTF-8 first; UTF-16 only with its mark; then latin-1, which gives every byte back as it was, unless there is a NUL.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _read_utf16(data)
    if b"\0" in data:
        return None
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        return _file_text(data[len(mark) :].decode("utf-8"), Encoding.UTF_8, mark)
    except UnicodeDecodeError:
        return _file_text(data.decode("latin-1"), Encoding.LATIN_1, b"")


def _read_utf16(data: bytes) -> FileText | None:
    mark = data[:2]
    encoding = Encoding.UTF_16_LE if mark == codecs.BOM_UTF16_LE else Encoding.UTF_16_BE
    try:
        source = data[2:].decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in source else _file_text(source, encoding, mark)


def _file_text(source: str, encoding: Encoding, mark: bytes) -> FileText:
    return FileText(source=source, shown=source.replace("\r\n", "\n"), encoding=encoding, mark=mark)
