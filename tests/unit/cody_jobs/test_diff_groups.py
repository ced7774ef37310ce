import pytest

from cody_jobs.diff_groups import diff_group

BASE = """\
diff --git a/src/web.py b/src/web.py
index 1111111..2222222 100644
--- a/src/web.py
+++ b/src/web.py
@@ -10,5 +10,5 @@ class Web(Case):
     def test(self):
-        self.assertEquals(total, 3)
+        self.assertEqual(total, 3)
         # the end
"""
ELSEWHERE = """\
diff --git a/tests/api.py b/tests/api.py
index 3333333..4444444 100755
--- a/tests/api.py
+++ b/tests/api.py
@@ -1,3 +1,3 @@
-    this.assertEquals(count, 3)
+    this.assertEqual(count, 3)
 other context

@@ -90 +90 @@ def f():
-self.assertEquals(x, 3)
+self.assertEqual(x, 3)
"""


def edit(removed: str, added: str) -> str:
    lines = [*(f"-{line}" for line in removed.splitlines()), *(f"+{line}" for line in added.splitlines())]
    head = f"@@ -1,{len(removed.splitlines())} +1,{len(added.splitlines())} @@"
    return "\n".join(["diff --git a/a b/a", "--- a/a", "+++ b/a", head, *lines, ""])


def group(text: str) -> str:
    return diff_group(text.encode())


def test_paths_places_context_indent_repetition_and_names_do_not_matter() -> None:
    assert group(BASE) == group(ELSEWHERE)
    assert group(BASE) == group(BASE.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (edit("a.old(x)", "a.new(x)"), edit("a.old(x)", "a.newer(x)")),
        (edit("a.old(x)", "a.new(x)"), edit("a.older(x)", "a.new(x)")),
        (edit("f(x, y)", "g(x, y)"), edit("f(x, y)", "g(y, x)")),
        (edit("f(x, 1)", "g(x, 1)"), edit("f(x, 2)", "g(x, 2)")),
        (edit("f(x)", "g(x)"), edit("f(x) ", "g(x)")),
        (edit("f(x)", "g(x)"), edit("g(x)", "f(x)")),
        (edit("f(x)", "if x:\n    g(x)"), edit("f(x)", "if x:\n        g(x)")),
        (edit("", "import a"), edit("", "import b")),
        (edit("f(x)", "g(x)"), edit("f(x)", "g(x)") + edit("h(x)", "i(x)")),
    ],
)
def test_what_differs_in_the_change_itself_is_another_group(one: str, other: str) -> None:
    assert group(one) != group(other)


def test_names_are_told_apart_within_a_block() -> None:
    assert group(edit("f(x, y)", "g(y, x)")) == group(edit("f(a, b)", "g(b, a)"))
    assert group(edit("f(x, x)", "g(x, x)")) != group(edit("f(a, b)", "g(a, b)"))


def test_a_removed_line_that_looks_like_a_header_is_a_line() -> None:
    assert group(edit("-- a", "-- b")) != group(edit("-- a", "-- c"))
    assert group(edit("@@ -1 +1 @@ x", "y")) != group(edit("@@ -1 +1 @@ x", "z"))


def test_new_moved_and_binary_files_are_changes() -> None:
    new = "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+x\n"
    moved = "diff --git a/{0} b/{1}\nsimilarity index 100%\nrename from {0}\nrename to {1}\n"
    assert group(new.format("a")) == group(new.format("b"))
    assert group(new.format("a")) != group(new.format("a").replace("new file mode 100644\n", ""))
    assert group(moved.format("a", "b")) == group(moved.format("c", "d")) != group("")
    assert group("GIT binary patch\nliteral 3\nabc\n") != group("GIT binary patch\nliteral 3\nabd\n")


def test_a_missing_last_line_break_is_a_change() -> None:
    assert group(edit("x", "y")) != group(edit("x", "y") + "\\ No newline at end of file\n")


def test_bytes_that_are_no_text_and_diffs_that_are_cut_off_are_taken() -> None:
    assert diff_group(b"@@ -1,9 +1,9 @@\n-\xff\xfe\n+\xfe") != diff_group(b"")
