"""Characters that nobody sees."""

import pytest

from cody_worker.guards import GuardName
from tests.unit.cody_worker.guards.changes import found

_BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
_ZERO_WIDTH = [0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD, 0x3164]
_CONTROLS = [0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x7F, 0x85, 0x9B]


@pytest.mark.parametrize("number", [*_BIDI, *_ZERO_WIDTH, *_CONTROLS, 0x2028, 0xE0041], ids=hex)
def test_a_hidden_character_in_added_text_is_found_by_its_number_and_not_repeated(number: int) -> None:
    character = chr(number)
    (finding,) = found(GuardName.CONTROL_CHARACTERS, "a.rb", "a\nb\n", f"a\nif x{character}y\n")
    assert finding.line == 2
    assert f"U+{number:04X}" in finding.message
    assert character not in finding.message
    before = f"z{character}z\nb\n"
    assert found(GuardName.CONTROL_CHARACTERS, "a.rb", before, f"a{character}b\nb\n") == []
    assert found(GuardName.CONTROL_CHARACTERS, "a.rb", before, "a\nb\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "\tindented\twith tabs",
        "ends with a carriage return\r",
        "\u00e4\u00f6\u00fc \u4f60\u597d \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
        "family: \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u00a0no-break space",
    ],
)
def test_what_people_write_is_left_in_peace(line: str) -> None:
    assert found(GuardName.CONTROL_CHARACTERS, "a.rb", "a\nb\n", f"a\n{line}\n") == []


def test_an_escape_is_no_character() -> None:
    assert found(GuardName.CONTROL_CHARACTERS, "a.py", "a = 1\n", 'a = "\\u202e\\x1b"\n') == []


def test_the_mark_at_the_start_of_a_file_is_none_of_its_text() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        before, after = "a\n".encode(encoding), "b\n".encode(encoding)
        assert found(GuardName.CONTROL_CHARACTERS, "a.rb", before, after) == []


def test_text_may_not_become_binary() -> None:
    for after in (b"a\0b\n", b"\xff\xfe\x00\x00a\x00\x00\x00"):
        assert found(GuardName.CONTROL_CHARACTERS, "a.rb", b"a\n", after)
        assert found(GuardName.CONTROL_CHARACTERS, "a.bin", None, after)
        assert found(GuardName.CONTROL_CHARACTERS, "a.bin", b"\0", after) == []
    assert found(GuardName.CONTROL_CHARACTERS, "a.bin", b"\0", None) == []
