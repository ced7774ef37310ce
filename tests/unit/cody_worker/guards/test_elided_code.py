"""A remark that code is still there, where the code is not."""

import pytest

from cody_worker.guards import GuardName
from tests.unit.cody_worker.guards.changes import found


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "# ... rest of the code unchanged ..."),
        ("a.py", "    # ... existing code ..."),
        ("a.py", "# rest of the file remains the same"),
        ("a.py", "# (rest of the implementation omitted for brevity)"),
        ("a.py", "x = 1  # ... rest unchanged"),
        ("a.py", "# ... other methods ..."),
        ("a.py", "# \u2026 remaining imports \u2026"),
        ("a.py", "# Keep the rest of your code"),
        ("a.py", "... rest of the code ..."),
        ("a.py", "# ..."),
        ("a.js", "// ... existing code ..."),
        ("a.js", "  /* ... rest of the function stays the same ... */"),
        ("a.js", "  * ... rest unchanged"),
        ("a.ts", "// ...rest of the class..."),
        ("a.tsx", "{/* ... existing markup ... */}"),
        ("A.java", "// unchanged"),
        ("a.go", "// previous code remains unchanged"),
        ("a.rs", "// ... (omitted) ..."),
        ("a.html", "<!-- rest of the page unchanged -->"),
        ("README.md", "<!-- ... existing content ... -->"),
        ("a.css", "/* ... other rules ... */"),
        ("a.sql", "-- ... rest of the query ..."),
        ("a.sh", "# [rest of script unchanged]"),
        ("a.yaml", "  # ... existing configuration ..."),
        ("a.lisp", ";; ... rest of the file ..."),
        ("a.tex", "% ... rest of the document unchanged ..."),
        ("a.vb", "' ... existing code ..."),
        ("a.bat", "REM ... rest of the script ..."),
        ("a.ml", "(* ... rest of the module ... *)"),
        ("a.hbs", "{{!-- ... rest of the template ... --}}"),
        ("a.c", "// lines 10-50 unchanged"),
    ],
)
def test_an_added_remark_that_stands_for_code_is_found_with_its_line(path: str, line: str) -> None:
    (finding,) = found(GuardName.CODE_ELIDED, path, "a\nb\nc\n", f"a\n{line}\nc\n")
    assert finding.line == 2
    assert line.strip() in finding.message
    assert found(GuardName.CODE_ELIDED, path, f"a\n{line}\nb\n", f"{line}\nc\n") == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "    ..."),
        ("a.py", "def f(self) -> int: ..."),
        ("a.py", "x = array[..., 0]"),
        ("a.py", "Callable[..., None]"),
        ("a.py", "print('loading...')"),
        ("a.py", 'log.info("... rest of the code")'),
        ("a.py", "first, *rest = items"),
        ("a.py", "# Wait for the rest of the workers to finish."),
        ("a.py", "# see the remaining tests in test_b.py"),
        ("a.py", "# Existing users keep their tokens."),
        ("a.py", "# the same key is used twice"),
        ("a.py", "# >>> f(1, 2, ...)"),
        ("a.pyi", "def f(*args: int) -> None: ..."),
        ("a.js", "const { a, ...rest } = props;"),
        ("a.js", "  ...rest,"),
        ("a.js", "  ...existing,"),
        ("a.js", "f(...args);"),
        ("a.js", "// spread the rest of the props onto the node"),
        ("a.js", "// https://example.com/a/.../b"),
        ("a.ts", "function f(...others: string[]) {"),
        ("a.go", "func f(args ...string) {"),
        ("a.go", "f(rest...)"),
        ("a.php", "function f(...$rest) {"),
        ("a.rs", "let A { x, .. } = a;"),
        ("a.rs", "for i in 0...9 {"),
        ("a.cpp", "template <typename... Args> void f(Args&&... args);"),
        ("A.java", "void f(String... names) {"),
        ("a.kt", "// TODO handle the other cases"),
        ("a.css", "#rest { color: red; }"),
        ("README.md", "# Existing code"),
        ("README.md", "... and the rest of the story."),
        ("README.md", "* unchanged"),
        ("README.md", "- rest of the code"),
        ("a.c", " * ..."),
        ("a.sh", 'echo "..."'),
        ("a.yaml", "..."),
        ("a.txt", "And so on..."),
    ],
)
def test_what_only_looks_like_it_is_left_in_peace(path: str, line: str) -> None:
    assert found(GuardName.CODE_ELIDED, path, "a\nb\nc\n", f"a\n{line}\nc\n") == []


def test_a_second_remark_of_the_same_kind_is_new() -> None:
    before = "# ... existing code ...\nx = 1\ny = 2\n"
    (finding,) = found(GuardName.CODE_ELIDED, "a.py", before, before.replace("y = 2", "# ... existing code ..."))
    assert finding.line == 3


def test_a_remark_that_was_there_may_be_indented_anew() -> None:
    before = "def f():\n    # ... existing code ...\n    g()\n"
    after = "def f():\n    if a:\n        # ... existing code ...\n        g()\n"
    assert found(GuardName.CODE_ELIDED, "a.py", before, after) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_other_encodings_are_read(encoding: str) -> None:
    before, after = "x = '\u00f6'\r\ny = 1\r\n", "x = '\u00f6'\r\n# ... rest of the code ...\r\n"
    assert found(GuardName.CODE_ELIDED, "a.rb", before.encode(encoding), after.encode(encoding))
