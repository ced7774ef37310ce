"""The hint that goes back to Claude when its old text is not in the file."""

import random

from cody_worker.nearest_text import nearest_text

_FILE = """\
def first(value):
    return value + 1


def second(value, *, scale=2):
    total = value * scale
    return total
"""


def test_text_with_other_indentation_is_found() -> None:
    nearest = nearest_text(_FILE, "total = value*scale\nreturn total")
    assert nearest is not None
    assert (nearest.line, nearest.text) == (6, "    total = value * scale\n    return total")


def test_the_whole_wanted_region_is_shown_not_only_its_best_line() -> None:
    nearest = nearest_text(_FILE, "def second(value, scale=2):\n    total = value * scale\n    return totals")
    assert nearest is not None
    assert nearest.line == 5
    assert nearest.text.count("\n") == 2


def test_text_that_is_like_nothing_has_no_nearest() -> None:
    assert nearest_text(_FILE, "SELECT name FROM users WHERE id = 3") is None
    assert nearest_text("", "a") is None
    assert nearest_text(_FILE, "\n\n") is None
    assert nearest_text(_FILE, "()[]{}") is None


def test_long_files_and_long_texts_give_a_short_hint() -> None:
    chance = random.Random(1)
    words = ["alpha", "beta", "gamma", "delta", "value", "total"]
    lines = [" ".join(chance.choices(words, k=200)) for _ in range(5_000)]
    nearest = nearest_text("\n".join(lines), "\n".join([lines[4_000] + " changed", *lines[4_001:4_500]]))
    assert nearest is not None
    assert nearest.line == 4_001
    assert len(nearest.text) <= 2_000
