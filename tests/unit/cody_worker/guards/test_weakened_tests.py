"""Tests that vanish, are skipped, or check less."""

import pytest

from cody_worker.guards import Finding, GuardName
from tests.unit.cody_worker.guards.changes import found


def _found(path: str, before: str, after: str | None) -> list[Finding]:
    return found(GuardName.TESTS_WEAKENED, path, before, after)


_PYTHON = """import pytest


def test_a():
    assert f() == 1


class TestB:
    def test_b(self):
        self.assertEqual(f(), 1)
        with pytest.raises(ValueError):
            f()
"""
_JAVASCRIPT = """import { f } from './f';

describe('f', () => {
  it('adds', () => {
    expect(f(1)).toBe(2);
  });
  test('throws', async () => {
    await expect(f()).rejects.toThrow();
  });
});
"""
_JAVA = """class FTest {
    @Test
    void adds() {
        assertEquals(2, f(1));
    }

    @Test
    public void subtracts() throws Exception {
        assertThat(f(2)).isEqualTo(1);
    }
}
"""
_GO = """package f

func TestF(t *testing.T) {
\tif f(1) != 2 {
\t\tt.Errorf("wrong")
\t}
}

func TestG(t *testing.T) {
\trequire.Equal(t, 1, g())
}
"""
_RUST = """#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(f(1), 2);
    }
    #[tokio::test]
    async fn waits() {
        assert!(g().await);
    }
}
"""
_C_SHARP = """class FTests {
    [Fact]
    public void Adds() { Assert.Equal(2, F(1)); }
    [Test]
    public void Subtracts() { F(2).Should().Be(1); }
}
"""
_RUBY = """describe F do
  it "adds" do
    expect(f(1)).to eq(2)
  end
  it "subtracts" do
    assert_equal 1, f(2)
  end
end
"""
_PHP = """<?php
class FTest extends TestCase {
    public function testAdds() { $this->assertSame(2, f(1)); }
    #[Test]
    public function subtracts() { $this->assertSame(1, f(2)); }
}
"""
_KOTLIN = """class FTest {
    @Test
    fun `adds one`() {
        assertEquals(2, f(1))
    }
    @Test
    fun subtracts() {
        f(2) shouldBe 1
    }
}
"""
_CPP = """TEST(F, Adds) {
  EXPECT_EQ(f(1), 2);
}
TEST_F(G, Subtracts) {
  ASSERT_TRUE(g());
}
"""

_LOST = {
    "tests/test_f.py": (_PYTHON, "def test_a():\n    assert f() == 1\n", ""),
    "f_test.py": (_PYTHON, "def test_a", "def check_a"),
    "tests/commented.py": (_PYTHON, "def test_a():\n    assert f() == 1\n", "# def test_a():\n#     assert f() == 1\n"),
    "tests/quoted.py": (
        _PYTHON,
        "def test_a():\n    assert f() == 1\n",
        '"""\ndef test_a():\n    assert f() == 1\n"""\n',
    ),
    "test_class.py": (_PYTHON, "class TestB", "class B"),
    "f.test.ts": (_JAVASCRIPT, "  it('adds', () => {\n    expect(f(1)).toBe(2);\n  });\n", ""),
    "commented.spec.js": (_JAVASCRIPT, "  it('adds', () => {\n    expect(f(1)).toBe(2);\n  });\n", "/* it('adds') */"),
    "src/test/java/FTest.java": (_JAVA, "    @Test\n    void adds", "    void adds"),
    "f_test.go": (_GO, "func TestF(", "func F("),
    "src/f.rs": (_RUST, "    #[test]\n", ""),
    "FTests.cs": (_C_SHARP, "    [Fact]\n", ""),
    "spec/f_spec.rb": (_RUBY, '  it "adds" do\n    expect(f(1)).to eq(2)\n  end\n', ""),
    "tests/FTest.php": (_PHP, "testAdds", "adds"),
    "FTest.kt": (_KOTLIN, "    @Test\n    fun `adds one`", "    fun `adds one`"),
    "f_test.cc": (_CPP, "TEST(F, Adds) {\n  EXPECT_EQ(f(1), 2);\n}\n", ""),
}
_SKIPPED = {
    "tests/test_f.py": (_PYTHON, "def test_a", "@pytest.mark.skip\ndef test_a"),
    "tests/test_if.py": (_PYTHON, "def test_a", "@pytest.mark.skipif(True, reason='x')\ndef test_a"),
    "tests/test_xfail.py": (_PYTHON, "def test_a", "@pytest.mark.xfail\ndef test_a"),
    "tests/test_call.py": (_PYTHON, "    assert f() == 1", "    pytest.skip('later')\n    assert f() == 1"),
    "tests/test_unit.py": (_PYTHON, "    def test_b", "    @unittest.skip('later')\n    def test_b"),
    "f.test.ts": (_JAVASCRIPT, "it('adds'", "it.skip('adds'"),
    "only.test.ts": (_JAVASCRIPT, "it('adds'", "it.only('adds'"),
    "todo.test.ts": (_JAVASCRIPT, "test('throws'", "test.todo('throws'"),
    "x.test.ts": (_JAVASCRIPT, "it('adds'", "xit('adds'"),
    "f.test.js": (_JAVASCRIPT, "describe('f'", "describe.skip('f'"),
    "fd.test.js": (_JAVASCRIPT, "describe('f'", "fdescribe('f'"),
    "FTest.java": (_JAVA, "    @Test\n    void", "    @Test\n    @Disabled\n    void"),
    "GTest.java": (_JAVA, "    @Test\n    void", '    @Ignore("later")\n    @Test\n    void'),
    "HTest.java": (_JAVA, "    @Test\n    void", "    @Test(enabled = false)\n    void"),
    "f_test.go": (_GO, "\tif f(1)", "\tt.Skip()\n\tif f(1)"),
    "g_test.go": (_GO, "\tif f(1)", '\tt.Skipf("%d", 1)\n\tif f(1)'),
    "src/f.rs": (_RUST, "    #[test]\n", "    #[test]\n    #[ignore]\n"),
    "FTests.cs": (_C_SHARP, "[Fact]", '[Fact(Skip = "later")]'),
    "GTests.cs": (_C_SHARP, "[Test]", '[Test, Ignore("later")]'),
    "spec/f_spec.rb": (_RUBY, '  it "adds"', '  xit "adds"'),
    "spec/g_spec.rb": (_RUBY, "    expect", "    skip\n    expect"),
    "tests/FTest.php": (_PHP, "{ $this->assertSame(2", "{ $this->markTestSkipped(); $this->assertSame(2"),
    "FTest.kt": (_KOTLIN, "    @Test\n    fun sub", "    @Test @Disabled\n    fun sub"),
    "f_test.cc": (_CPP, "TEST(F, Adds)", "TEST(F, DISABLED_Adds)"),
}
_FEWER = {
    "tests/test_f.py": (_PYTHON, "    assert f() == 1", "    f()"),
    "tests/test_g.py": (_PYTHON, "        self.assertEqual(f(), 1)\n", ""),
    "f.test.ts": (_JAVASCRIPT, "    expect(f(1)).toBe(2);\n", "    f(1);\n"),
    "FTest.java": (_JAVA, "        assertEquals(2, f(1));\n", ""),
    "f_test.go": (_GO, '\t\tt.Errorf("wrong")\n', ""),
    "src/f.rs": (_RUST, "        assert_eq!(f(1), 2);\n", ""),
    "FTests.cs": (_C_SHARP, "F(2).Should().Be(1);", "F(2);"),
    "spec/f_spec.rb": (_RUBY, "    assert_equal 1, f(2)\n", ""),
    "tests/FTest.php": (_PHP, "$this->assertSame(2, f(1));", ""),
    "FTest.kt": (_KOTLIN, "        f(2) shouldBe 1\n", ""),
    "f_test.cc": (_CPP, "  EXPECT_EQ(f(1), 2);\n", ""),
}
_CONSTANT = {
    "tests/test_f.py": (_PYTHON, "assert f() == 1", "assert True"),
    "tests/test_g.py": (_PYTHON, "self.assertEqual(f(), 1)", "self.assertTrue(True)"),
    "tests/test_h.py": (_PYTHON, "assert f() == 1", "assert f() == 1 or True"),
    "tests/test_i.py": (_PYTHON, "self.assertEqual(f(), 1)", "self.assertEqual(1, 1)"),
    "f.test.ts": (_JAVASCRIPT, "expect(f(1)).toBe(2)", "expect(true).toBe(true)"),
    "FTest.java": (_JAVA, "assertEquals(2, f(1))", "assertTrue(true)"),
    "src/f.rs": (_RUST, "assert_eq!(f(1), 2)", "assert!(true)"),
    "FTests.cs": (_C_SHARP, "Assert.Equal(2, F(1))", "Assert.True(true)"),
    "f_test.cc": (_CPP, "EXPECT_EQ(f(1), 2)", "EXPECT_TRUE(true)"),
}
_KINDS = {"gone": _LOST, "skipped": _SKIPPED, "fewer checks": _FEWER, "constant": _CONSTANT}


@pytest.mark.parametrize(
    ("path", "before", "old", "new"),
    [
        pytest.param(path, before, old, new, id=f"{kind} {path}")
        for kind, cases in _KINDS.items()
        for path, (before, old, new) in cases.items()
    ],
)
def test_a_weakened_test_is_found_and_a_strengthened_one_is_not(path: str, before: str, old: str, new: str) -> None:
    after = before.replace(old, new, 1)
    assert after != before
    assert _found(path, before, after)
    assert _found(path, after, before) == []


_HONEST = {
    "renamed": ("tests/test_f.py", _PYTHON, _PYTHON.replace("test_a", "test_z")),
    "moved": (
        "tests/test_f.py",
        _PYTHON,
        _PYTHON.replace("def test_a():\n    assert f() == 1\n", "") + "\n\ndef test_a():\n    assert f() == 1\n",
    ),
    "another assertion": ("tests/test_f.py", _PYTHON, _PYTHON.replace("self.assertEqual(f(), 1)", "assert f() == 1")),
    "another expectation": ("tests/test_f.py", _PYTHON, _PYTHON.replace("== 1", "== 2")),
    "another runner": ("FTest.java", _JAVA, _JAVA.replace("assertEquals(2, f(1))", "assertThat(f(1)).isEqualTo(2)")),
    "test becomes it": ("f.test.ts", _JAVASCRIPT, _JAVASCRIPT.replace("test('throws'", "it('throws'")),
    "double quotes": ("f.test.ts", _JAVASCRIPT, _JAVASCRIPT.replace("'", '"')),
    "a parameter": (
        "f.test.ts",
        _JAVASCRIPT,
        _JAVASCRIPT.replace("it('adds', () =>", "it.each([1, 2])('adds %d', () =>"),
    ),
    "a word in a text": ("tests/test_f.py", _PYTHON, _PYTHON.replace("f() == 1", "f('skip') == 'unittest only'")),
    "a remark": (
        "tests/test_f.py",
        _PYTHON,
        _PYTHON.replace("    assert f", "    # pytest.skip() is not needed\n    assert f"),
    ),
    "one more": ("f_test.go", _GO, _GO + "\nfunc TestH(t *testing.T) {\n\trequire.True(t, h())\n}\n"),
    "no test": ("src/f.py", "def f():\n    assert a\n    skip()\n", "def f():\n    pass\n"),
    "not read": ("tests/data.json", '{"test": 1}\n', '{"test": 2}\n'),
    "a jump": (
        "tests/test_f.py",
        _PYTHON,
        _PYTHON.replace("import pytest\n", "import pytest\n\nfrom a import skip_header\n"),
    ),
}


@pytest.mark.parametrize(("path", "before", "after"), _HONEST.values(), ids=_HONEST)
def test_tests_that_are_as_strong_as_before_are_left_in_peace(path: str, before: str, after: str) -> None:
    assert before != after
    assert _found(path, before, after) == []


def test_a_deleted_test_file_is_found() -> None:
    assert "deleted" in _found("tests/test_f.py", _PYTHON, None)[0].message
    assert _found("src/f.py", "x = 1\n", None) == []


def test_the_line_and_the_name_are_told() -> None:
    (gone,) = _found("tests/test_f.py", _PYTHON, _PYTHON.replace("    def test_b(self)", "    def b(self)"))
    assert gone.line == 9
    assert "test_b" in gone.message
    (skipped,) = _found("f.test.ts", _JAVASCRIPT, _JAVASCRIPT.replace("test('throws'", "test.skip('throws'"))
    assert skipped.line == 7
    assert "test.skip" in skipped.message
    (java,) = _found("FTest.java", _JAVA, _JAVA.replace("    @Test\n    public", "    public"))
    assert "subtracts" in java.message


def test_a_test_far_from_the_changed_lines_keeps_its_line() -> None:
    before = "import a\n" * 100 + _PYTHON
    (finding,) = _found("tests/test_f.py", before, before.replace("assert f() == 1", "assert True"))
    assert finding.line == 105


def test_a_skip_that_was_there_may_stay() -> None:
    before = _PYTHON.replace("def test_a", "@pytest.mark.skip\ndef test_a")
    assert _found("tests/test_f.py", before, before.replace("== 1", "== 2")) == []
