"""Bytes → text → bytes: nothing is lost, and what is binary is said to be."""

import codecs
import random

import pytest

from cody_worker.file_text import Encoding, EncodingNotKept, read_text


@pytest.mark.parametrize(
    ("data", "encoding", "shown"),
    [
        (b"", Encoding.UTF_8, ""),
        (b"a\r\nb\nc\rd", Encoding.UTF_8, "a\nb\nc\rd"),
        ("größe\r\n".encode(), Encoding.UTF_8, "größe\n"),
        (codecs.BOM_UTF8 + b"x\r\n", Encoding.UTF_8, "x\n"),
        (codecs.BOM_UTF16_LE + "ä\r\nb".encode("utf-16-le"), Encoding.UTF_16_LE, "ä\nb"),
        (codecs.BOM_UTF16_BE + "ä\r\nb".encode("utf-16-be"), Encoding.UTF_16_BE, "ä\nb"),
        (b"gr\xf6\xdfe\r\n", Encoding.LATIN_1, "größe\n"),
        (b"a\r\r\nb", Encoding.UTF_8, "a\r\nb"),
    ],
)
def test_a_file_is_shown_with_plain_line_ends_and_without_its_mark(data: bytes, encoding: Encoding, shown: str) -> None:
    text = read_text(data)
    assert text is not None
    assert (text.encoding, text.shown) == (encoding, shown)
    assert text.encode(text.source) == data


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\0\1",
        b"\0",
        codecs.BOM_UTF32_LE + "a".encode("utf-32-le"),
        codecs.BOM_UTF32_BE + "a".encode("utf-32-be"),
        codecs.BOM_UTF16_LE + b"a",
        codecs.BOM_UTF16_LE + b"\0\xd8",
        codecs.BOM_UTF16_BE + b"\0\0",
    ],
    ids=repr,
)
def test_a_binary_file_has_no_text(data: bytes) -> None:
    assert read_text(data) is None


def test_any_bytes_without_a_nul_come_back_as_they_were() -> None:
    chance = random.Random(1)
    for _ in range(2_000):
        data = bytes(chance.choice([10, 13, 65, 0xC3, 0xB6, 0xEF, 0xBB, 0xBF, 0xFF, 0xFE]) for _ in range(12))
        text = read_text(data)
        assert text is None or text.encode(text.source) == data, data


def test_a_character_that_the_encoding_does_not_know_is_named_with_its_line() -> None:
    text = read_text(b"a\n\xf6\n")
    assert text is not None
    with pytest.raises(EncodingNotKept, match=r"line 2 .* '€' \(U\+20AC\).*latin-1"):
        text.encode("a\n€\n")


def test_a_nul_is_refused_because_it_would_make_the_file_binary() -> None:
    text = read_text(b"a\n")
    assert text is not None
    with pytest.raises(EncodingNotKept, match="NUL"):
        text.encode("a\0\n")
