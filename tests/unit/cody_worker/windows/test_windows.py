"""What is shown of a file around a plan's matches, and what an edit of it means for the whole file."""

import pytest

from cody_jobs.outcomes import Edit
from cody_jobs.plan import Extent
from cody_worker.apply_edits import EditNotApplicable, apply_edits
from cody_worker.claude.edit_protocol import tag_of
from cody_worker.edit.pin_edits import has_mark, pin_edits
from cody_worker.git.look import match_lines
from cody_worker.windows import View, first_view, smaller_views

FILLER = "".join(f"def filler_{number}():\n    return {number}\n\n\n" for number in range(100))
PYTHON = f'''"""What it is."""

import os
from typing import (
    Any,
    Mapping,
)

{FILLER}
class Wide:
    """A class."""

    def near(self):
        first = 1
        return old(first)

    def far(self):
        return 2


{FILLER}
VALUE = old(3)
'''


def _view(path: str, text: str, pattern: str, extent: Extent = Extent.MATCHES) -> View:
    return first_view(path, text, match_lines(text, (pattern,)), extent)


def test_a_window_has_the_definition_its_class_and_the_imports() -> None:
    view = _view("a.py", PYTHON, r"\bold\(")
    shown = "\n".join(view.pieces())
    assert "import os\nfrom typing import (\n    Any,\n    Mapping,\n)\n" in shown
    assert "class Wide:" in shown
    assert "    def near(self):\n        first = 1\n        return old(first)" in shown
    assert "VALUE = old(3)" in shown
    assert "filler_50" not in shown
    assert "def far" not in shown


def test_marks_tell_where_the_lines_are_and_text_can_be_copied() -> None:
    view = _view("a.py", PYTHON, r"\bold\(")
    tag = tag_of("file", PYTHON)
    lines, number = view.render(tag).split("\n"), 1
    for line in lines:
        if line.startswith(f"[{tag}: lines "):
            first, last = line.removeprefix(f"[{tag}: lines ").removesuffix(" left out]").split("-")
            assert int(first) == number
            number = int(last) + 1
        else:
            assert line == PYTHON.split("\n")[number - 1]
            number += 1
    assert number == len(PYTHON.split("\n")) + 1


@pytest.mark.parametrize(
    ("path", "text", "extent"),
    [
        ("a.py", "x = old(1)\n", Extent.MATCHES),
        ("a.py", PYTHON, Extent.FILE),
        ("a.py", "x = old(1)\ny = 2\n" * 200, Extent.MATCHES),
    ],
    ids=["short", "to be seen whole", "full of matches"],
)
def test_a_file_is_shown_whole(path: str, text: str, extent: Extent) -> None:
    view = _view(path, text, r"\bold\(", extent)
    assert view.is_whole
    assert view.render("tag") == text


def test_a_file_without_a_match_is_shown_whole() -> None:
    assert _view("a.py", PYTHON, r"\bnowhere\(").is_whole


def test_a_very_long_file_is_cut_to_windows_even_where_it_is_to_be_seen_whole() -> None:
    assert not _view("a.py", PYTHON + FILLER * 20, r"\bold\(", Extent.FILE).is_whole


def test_a_string_of_many_lines_is_not_cut_in_half() -> None:
    body = "".join(f"    x{number} = {number}\n" for number in range(60))
    text = f'def f():\n{body}    """One\n    two\n    three"""\n    a = 1\n    old()\n{body}'
    shown = "\n".join(_view("a.py", text * 3, r"\bold\(").pieces())
    assert shown.count('"""') % 2 == 0
    assert "old()" in shown


@pytest.mark.parametrize(
    ("path", "unit", "header"),
    [
        ("a.go", "func f{n}() int {{\n\treturn {n}\n}}\n\n", "func target() {\n\told()\n}\n"),
        ("a.ts", "function f{n}() {{\n  return {n};\n}}\n\n", "function target() {\n  old();\n}\n"),
        ("a.rb", "def f{n}\n  {n}\nend\n\n", "def target\n  old()\nend\n"),
        ("a.unknown", "part f{n} {{\n  {n}\n}}\n\n", "part target {\n  old()\n}\n"),
        ("b.unknown", "part f{n}:\n  {n}\n\n", "part target:\n  old()\n"),
    ],
)
def test_other_languages_have_definitions_and_so_has_indentation(path: str, unit: str, header: str) -> None:
    units = "".join(unit.format(n=number) for number in range(80))
    view = _view(path, units + header + "\n" + units, r"\bold\(")
    shown = "\n".join(view.pieces())
    assert header.rstrip("\n") in shown
    assert view.characters < 600


def test_an_old_text_that_is_unique_in_what_was_shown_is_meant_there() -> None:
    text = f"{FILLER}x = same\n{FILLER}x = same\n{FILLER}"
    line = text.count("\n", 0, text.index("x = same")) + 1
    view = View(text=text, spans=((line, line + 2),))
    (edit,) = pin_edits(view, [Edit(old_text="x = same", new_text="x = other")])
    assert edit.line == line
    assert apply_edits(text.encode(), [edit]) == text.replace("x = same", "x = other", 1).encode()
    both = View(text=text, spans=((1, line + 2), (line + 300, text.count("\n") + 1)))
    with pytest.raises(EditNotApplicable, match="2 times"):
        apply_edits(text.encode(), pin_edits(both, [Edit(old_text="x = same", new_text="x = other")]))


def test_a_mark_in_an_edit_stands_for_the_lines_that_it_left_out() -> None:
    text = "class A:\n    a = 1\n    x = same\nclass B:\n    b = 1\n    x = same\n"
    view = View(text=text, spans=((1, 1), (3, 4), (6, 7)))
    mark = f"[{tag_of('file', text)}: lines 5-5 left out]"
    edit = Edit(old_text=f"class B:\n{mark}\n    x = same", new_text=f"class B:\n{mark}\n    x = other")
    expected = text.removesuffix("same\n") + "other\n"
    assert apply_edits(text.encode(), pin_edits(view, [edit])) == expected.encode()
    assert not has_mark(view, pin_edits(view, [edit]))


@pytest.mark.parametrize(
    ("old", "new"),
    [("class B:\nMARK\n    x = same", "class B:\n    x = other"), ("class B:", "class B:\nMARK")],
    ids=["dropped", "brought in"],
)
def test_a_mark_is_not_a_way_to_delete_what_nobody_saw_nor_to_get_into_the_file(old: str, new: str) -> None:
    text = "class A:\n    a = 1\n    x = same\nclass B:\n    b = 1\n    x = same\n"
    view = View(text=text, spans=((1, 1), (3, 4), (6, 7)))
    mark = f"[{tag_of('file', text)}: lines 5-5 left out]"
    edit = Edit(old_text=old.replace("MARK", mark), new_text=new.replace("MARK", mark))
    assert has_mark(view, pin_edits(view, [edit]))


def test_a_view_that_is_too_large_is_cut_between_definitions() -> None:
    halves = smaller_views("a.py", View.whole(PYTHON), ())
    assert len(halves) == 2
    assert all(half.is_part and "import os" in half.pieces()[0] for half in halves)
    first, second = (half.spans[-1] for half in halves)
    assert second[0] == first[1] + 1
    assert PYTHON.split("\n")[second[0] - 1].startswith("def filler") or second[0] > first[0]
    shown = {line for half in halves for span in half.spans for line in range(span[0], span[1] + 1)}
    assert shown == set(range(1, PYTHON.count("\n") + 2))


def test_matches_make_a_view_smaller_before_it_is_cut() -> None:
    (windows,) = smaller_views("a.py", View.whole(PYTHON), match_lines(PYTHON, (r"\bold\(",)))
    assert not windows.is_part
    assert windows.characters < len(PYTHON) / 4


def test_a_few_lines_are_not_cut_any_further() -> None:
    assert smaller_views("a.py", View.whole("x = 1\n" * 50), ()) == []
