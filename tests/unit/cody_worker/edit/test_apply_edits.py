"""Edits on bytes. The random files are seeded: the same ones in every run."""

import codecs
import random
import re
from collections.abc import Sequence

import pytest
from msgspec import Struct

from cody_jobs.outcomes import Edit
from cody_worker.apply_edits import EditNotApplicable, apply_edits
from cody_worker.file_text import EncodingNotKept

_ENCODINGS = {
    "utf-8": (b"", "utf-8"),
    "utf-8 with mark": (codecs.BOM_UTF8, "utf-8"),
    "utf-16-le": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "utf-16-be": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "latin-1": (b"", "latin-1"),
}
_ENDINGS = {"lf": ["\n"], "crlf": ["\r\n"], "mixed": ["\n", "\r\n"], "mostly lf": ["\n"] * 9 + ["\r\n"]}


def _edit(old: str, new: str) -> Edit:
    return Edit(old_text=old, new_text=new)


class _Case(Struct, frozen=True):
    """`lines` with their `endings`; the last ending may be empty."""

    lines: tuple[str, ...]
    endings: tuple[str, ...]

    @property
    def source(self) -> str:
        return "".join(line + ending for line, ending in zip(self.lines, self.endings, strict=True))


def _random_case(chance: random.Random, endings: Sequence[str]) -> _Case:
    """Numbered lines, so that each is unique; with lone CRs, umlauts, blank lines and, sometimes, no last line end."""
    count = chance.randrange(1, 30)
    words = ["öl", "x = 1", "", "\tif a:", "lone \r return", "  ", "ÿ"]
    lines = tuple(f"{chance.choice(words)} {number:03d} end" for number in range(count))
    chosen = [chance.choice(endings) for _ in range(count)]
    if chance.random() < 0.4:
        chosen[-1] = ""
    return _Case(lines, tuple(chosen))


def _spans(chance: random.Random, count: int) -> list[tuple[int, int]]:
    """A few ranges of lines that do not touch."""
    spans, at = list[tuple[int, int]](), 0
    while at < count and len(spans) < 4:
        start = at + chance.randrange(0, 4)
        end = start + chance.randrange(1, 4)
        if end <= count:
            spans.append((start, end))
        at = end + 1
    return spans


@pytest.mark.parametrize("encoding", _ENCODINGS)
@pytest.mark.parametrize("endings", _ENDINGS)
def test_only_edited_lines_change_and_each_line_keeps_its_own_ending(encoding: str, endings: str) -> None:
    mark, codec = _ENCODINGS[encoding]
    chance = random.Random(f"{encoding} {endings}")
    for _ in range(60):
        case = _random_case(chance, _ENDINGS[endings])
        spans = _spans(chance, len(case.lines))
        edits = [
            _edit("\n".join(case.lines[a:b]), "\n".join(f"{line} changed" for line in case.lines[a:b]))
            for a, b in spans
        ]
        chance.shuffle(edits)
        touched = {number for a, b in spans for number in range(a, b)}
        lines = tuple(f"{line} changed" if number in touched else line for number, line in enumerate(case.lines))
        expected = mark + _Case(lines, case.endings).source.encode(codec)
        assert apply_edits(mark + case.source.encode(codec), edits) == expected


@pytest.mark.parametrize("encoding", _ENCODINGS)
@pytest.mark.parametrize("endings", _ENDINGS)
def test_lines_come_and_go_without_touching_a_byte_around_them(encoding: str, endings: str) -> None:
    mark, codec = _ENCODINGS[encoding]
    chance = random.Random(f"grow {encoding} {endings}")
    for _ in range(60):
        case = _random_case(chance, _ENDINGS[endings])
        start, end = next(iter(_spans(chance, len(case.lines))), (0, 1))
        new = [f"new {number}" for number in range(chance.randrange(0, 6))]
        result = apply_edits(
            mark + case.source.encode(codec), [_edit("\n".join(case.lines[start:end]), "\n".join(new))]
        )
        before = _Case(case.lines[:start], case.endings[:start]).source
        after = case.endings[end - 1] + _Case(case.lines[end:], case.endings[end:]).source
        got = result.removeprefix(mark).decode(codec)
        assert got.startswith(before)
        assert got.endswith(after)
        middle = got[len(before) : len(got) - len(after)]
        assert middle.replace("\r\n", "\n") == "\n".join(new)
        known = set(case.endings) - {""} or {"\n"}
        assert set(re.findall(r"\r?\n", middle)) <= known


@pytest.mark.parametrize("encoding", _ENCODINGS)
def test_an_edit_that_changes_nothing_changes_no_byte(encoding: str) -> None:
    mark, codec = _ENCODINGS[encoding]
    chance = random.Random(3)
    for _ in range(100):
        case = _random_case(chance, _ENDINGS["mixed"])
        data = mark + case.source.encode(codec)
        old = case.source.replace("\r\n", "\n")
        assert apply_edits(data, [_edit(old, old)]) == data
        assert apply_edits(data, []) == data


def test_new_lines_take_the_ending_of_their_region() -> None:
    assert apply_edits(b"a\r\nb\r\nc\n", [_edit("a\nb", "a\nx\ny\nb")]) == b"a\r\nx\r\ny\r\nb\r\nc\n"


def test_a_line_that_becomes_two_takes_its_own_ending() -> None:
    assert apply_edits(b"a\nb = 1\r\nc\n", [_edit("b = 1", "b = 1\nb2 = 2")]) == b"a\nb = 1\r\nb2 = 2\r\nc\n"


def test_a_last_line_without_an_end_takes_the_ending_of_the_line_before() -> None:
    assert apply_edits(b"a\r\nb", [_edit("b", "b\nc")]) == b"a\r\nb\r\nc"


def test_a_file_of_one_line_grows_with_plain_ends() -> None:
    assert apply_edits(b"a", [_edit("a", "a\nb\n")]) == b"a\nb\n"


def test_unchanged_lines_at_both_ends_of_a_region_keep_their_endings() -> None:
    data = b"one\r\ntwo\nthree\r\nfour\n"
    result = apply_edits(data, [_edit("one\ntwo\nthree\nfour\n", "one\nTWO\nhalf\nthree\nfour\n")])
    assert result.startswith(b"one\r\nTWO\n")
    assert result.endswith(b"three\r\nfour\n")


def test_the_final_newline_stays_as_it_was_unless_an_edit_covers_it() -> None:
    assert apply_edits(b"a\r\nb", [_edit("a", "c")]) == b"c\r\nb"
    assert apply_edits(b"a\r\nb\r\n", [_edit("b", "c")]) == b"a\r\nc\r\n"
    assert apply_edits(b"a\r\nb\r\n", [_edit("b\n", "c")]) == b"a\r\nc"


def test_edits_at_the_very_start_and_end_apply() -> None:
    data = codecs.BOM_UTF8 + b"start\r\nmiddle\r\nend"
    result = apply_edits(data, [_edit("end", "END"), _edit("start", "START")])
    assert result == codecs.BOM_UTF8 + b"START\r\nmiddle\r\nEND"


def test_edits_may_touch_but_not_overlap() -> None:
    assert apply_edits(b"abcd", [_edit("cd", "2"), _edit("ab", "1")]) == b"12"
    with pytest.raises(EditNotApplicable, match="edit 2 changes the same text as edit 1") as caught:
        apply_edits(b"abcd", [_edit("abc", "1"), _edit("bcd", "2")])
    assert (caught.value.index, caught.value.overlaps) == (1, 0)


def test_an_old_text_is_not_looked_for_in_the_result_of_another_edit() -> None:
    with pytest.raises(EditNotApplicable):
        apply_edits(b"a", [_edit("a", "b"), _edit("b", "c")])


@pytest.mark.parametrize(
    ("text", "old", "lines"),
    [
        (b"x\ny\nx\n", "x", (1, 3)),
        (b"aaa", "aa", (1, 1)),
        (b"one\r\none\r\n", "one\n", (1, 2)),
        (b"q\n" * 50, "q", tuple(range(1, 11))),
    ],
)
def test_an_ambiguous_old_text_is_refused_with_its_lines(text: bytes, old: str, lines: tuple[int, ...]) -> None:
    with pytest.raises(EditNotApplicable, match="occurs") as caught:
        apply_edits(text, [_edit(old, "new")])
    assert (caught.value.lines, caught.value.count) == (lines, len(lines))


@pytest.mark.parametrize("old", ["", "not there", "a" * 100_000, "\0", "\ud800", "line 1\nline 3"])
def test_an_old_text_that_is_not_there_is_refused(old: str) -> None:
    with pytest.raises(EditNotApplicable, match="is not in the file") as caught:
        apply_edits(b"line 1\nline 2\n", [_edit(old, "new")])
    assert caught.value.count == 0


def test_one_bad_edit_undoes_all_of_them() -> None:
    with pytest.raises(EditNotApplicable) as caught:
        apply_edits(b"a\nb\n", [_edit("a", "1"), _edit("zzz", "2")])
    assert caught.value.index == 1


def test_an_edit_may_say_crlf_and_means_a_line_end() -> None:
    assert apply_edits(b"a\nb\n", [_edit("a\r\nb", "c\r\nd")]) == b"c\nd\n"
    assert apply_edits(b"a\r\nb\r\n", [_edit("a\r\nb", "c\r\nd")]) == b"c\r\nd\r\n"


def test_a_carriage_return_of_its_own_before_a_line_end_survives() -> None:
    assert apply_edits(b"a\r\r\nb\r\nc", [_edit("b", "B")]) == b"a\r\r\nB\r\nc"
    assert apply_edits(b"a\r\r\nb\r\n", [_edit("a\r\nb", "A\r\nB")]) == b"A\r\r\nB\r\n"


def test_what_the_encoding_cannot_hold_is_refused() -> None:
    with pytest.raises(EncodingNotKept, match="latin-1"):
        apply_edits(b"caf\xe9\n", [_edit("café", "€")])
    with pytest.raises(EncodingNotKept):
        apply_edits(b"a\n", [_edit("a", "\ud800")])


def test_a_large_file_with_many_edits_is_quick_enough_to_finish() -> None:
    data = b"".join(b"line %06d\r\n" % number for number in range(60_000))
    edits = [_edit(f"line {number:06d}\n", f"line {number:06d}\nnew\n") for number in range(0, 60_000, 600)]
    result = apply_edits(data, edits)
    assert result.count(b"\r\nnew\r\n") == 100
    assert result.replace(b"new\r\n", b"") == data
