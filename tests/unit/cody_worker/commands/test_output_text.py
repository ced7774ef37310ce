"""What is taken from an output: the lines that matter, what is the same in the next run, and the files it names."""

import pytest

from cody_worker.commands.files_named import files_named
from cody_worker.commands.output_text import cut_middle, failing_lines, lines_that_matter, normalized, plain

PATHS = (
    "src/app.py",
    "tests/test_app.py",
    "web/src/index.ts",
    "web/src/util/index.ts",
    "pkg/server.go",
    "java/src/main/java/com/acme/Foo.java",
    "crate/src/main.rs",
    "docs/with space.py",
    "app/(group)/[slug]/page.tsx",
    "Makefile",
    "a/__init__.py",
    "b/__init__.py",
    "c/__init__.py",
    "d/__init__.py",
)


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ("tests/test_app.py:12: AssertionError", ("tests/test_app.py",)),
        ("FAILED tests/test_app.py::test_x - assert 1 == 2", ("tests/test_app.py",)),
        ('  File "/workspace/src/app.py", line 3, in <module>', ("src/app.py",)),
        ("src/index.ts(3,5): error TS2304: Cannot find name 'x'.", ("web/src/index.ts",)),
        ("/workspace/web/src/util/index.ts\n  1:2  error  no-undef", ("web/src/util/index.ts",)),
        ("./server.go:12:3: undefined: x", ("pkg/server.go",)),
        ("../pkg/server.go:12:3: undefined: x", ("pkg/server.go",)),
        ("src/main/java/com/acme/Foo.java:[12,5] error: ';' expected", ("java/src/main/java/com/acme/Foo.java",)),
        ("\tat com.acme.Foo.bar(Foo.java:12)", ("java/src/main/java/com/acme/Foo.java",)),
        ("error[E0425]: x\n  --> src/main.rs:3:5", ("crate/src/main.rs",)),
        ("src/app.py:3: error: Name 'x' is not defined  [name-defined]", ("src/app.py",)),
        ("file:///workspace/web/src/index.ts:3:5", ("web/src/index.ts",)),
        (r"src\app.py(3): error", ("src/app.py",)),
        ("docs/with space.py:3: error", ("docs/with space.py",)),
        ("error in app/(group)/[slug]/page.tsx:3", ("app/(group)/[slug]/page.tsx",)),
        ("make: *** [Makefile:3: all] Error 1", ("Makefile",)),
        ("see Makefile. Then pkg/server.go, then src/app.py", ("Makefile", "pkg/server.go", "src/app.py")),
        ('  File "/usr/lib/python3.11/src/app.py", line 3', ()),
        ("__init__.py:3: error", ()),
        ("other/app.python:3 srcxapp.py", ()),
        ("", ()),
    ],
)
def test_files_are_found_in_the_forms_in_which_tools_name_them(output: str, named: tuple[str, ...]) -> None:
    assert files_named(output, PATHS) == named


def test_output_is_plain_and_its_paths_are_the_repositorys() -> None:
    output = "\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\r\n10%\r100%\n/workspace/a.py in /workspace\x00\n"

    assert plain(output, "/workspace") == "red link\n100%\na.py in .\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.py:1:2: error", "a.py:13:8: error"),
        ("FAILED in 0.12s", "FAILED in 3.4 s"),
        ("error at 0x7fff01", "error at 0xdeadbeef"),
        ("2026-01-02T03:04:05 error", "2027-11-12T13:14:15 error"),
        ("error in /tmp/abc/x.py", "error in /tmp/def/y.py"),
        ("=== 1 failed in 1m2s ===", "====== 12 failed in 3m4s ======"),
    ],
)
def test_what_changes_from_run_to_run_is_not_looked_at(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


def test_failures_are_counted_and_successes_are_not() -> None:
    text = "ok\nerror: x in line 1\nerror: x in line 2\n0 errors, 0 failures\nno errors\n1 failed, 0 errors\n"

    assert failing_lines(text) == {"error: x in line 0": 2, "0 failed, 0 errors": 1}


def test_the_lines_that_matter_come_with_those_around_them() -> None:
    lines = [f"progress {number}" for number in range(200)]
    lines[50] = "Traceback (most recent call last):"
    lines[51:54] = ['  File "x.py", line 1', "    call()", "ValueError: no"]
    lines[100] = "x.py:1: error: bad"

    shown = lines_that_matter("\n".join(lines), 10_000).split("\n")

    assert shown[:2] == ["[50 lines left out]", "Traceback (most recent call last):"] or "Traceback" in shown[3]
    assert "ValueError: no" in shown
    assert shown[(at := shown.index("x.py:1: error: bad")) - 2 : at + 2] == [
        "progress 98",
        "progress 99",
        "x.py:1: error: bad",
        "progress 101",
    ]
    assert shown[-1] == "progress 199"
    assert "progress 30" not in shown


def test_only_new_failures_are_shown_where_there_were_others() -> None:
    lines = ["a.py:1: error: old", *["-"] * 40, "b.py:2: error: new", *["-"] * 40]

    shown = lines_that_matter("\n".join(lines), 10_000, only=["b.py:0: error: new"])

    assert "new" in shown
    assert "old" not in shown


@pytest.mark.parametrize("most", [0, 10, 60, 61, 62, 63, 200])
def test_a_cut_keeps_both_ends_and_no_half_of_a_character(most: int) -> None:
    text = "first é\n" + "é日𝄞" * 100 + "\nlast"

    cut = cut_middle(text, most)

    assert "�" not in cut
    assert len(cut.encode()) <= max(most, 60)
    if most == 200:
        assert cut.startswith("first é\n")
        assert cut.endswith("last")


def test_what_fits_is_not_cut() -> None:
    assert cut_middle("é" * 10, 20) == "é" * 10
