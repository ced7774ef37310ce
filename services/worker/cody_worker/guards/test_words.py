"""How the languages' test frameworks say test, skip and assert."""

import re
from collections.abc import Mapping

from msgspec import Struct

from cody_worker.syntax import Language


class TestWords(Struct, frozen=True, kw_only=True):
    """A match of `tests` is one test (group `name`, where the name stands in it), one of `skips` keeps tests from
    running, one of `assertions` is a check."""

    tests: re.Pattern[str]
    skips: re.Pattern[str]
    assertions: re.Pattern[str]


_CALLED_ASSERTIONS = (
    r"\b(?:assert|expect|verify|refute|fail)\w*(?:\.\w+){0,3}(?:<[^<>()\n]{0,40}>)?!?[ \t]*\(",
    r"\b(?:ASSERT|EXPECT|CHECK|REQUIRE|BOOST)_?\w*[ \t]*\(",
    r"\bXCT(?:Assert|Fail|Unwrap)\w*[ \t]*\(",
    r"#(?:expect|require)\b",
    r"\brequire\.\w+\(",
    r"\bAssert(?:ions)?\.\w+",
    r"\.[sS]hould\b",
    r"\bt\.(?:Error|Fatal|Fail)\w*\(",
    r"\b(?:raises|warns|throws)(?:_\w+)?\(",
)

TRIVIAL_ASSERTIONS = re.compile(
    r"^[ \t]*assert[ \t(]+(?:True|1|not[ \t]+(?:False|None|0)|(?P<same>[\w.]{1,60})[ \t]*==[ \t]*(?P=same))[ \t)]*"
    r"(?:[,#].*)?$"
    r"|^[ \t]*assert\b[^\n]{1,300}\bor[ \t]+True\b"
    r"|\b(?:assert|expect|XCTAssert|EXPECT|ASSERT|CHECK|REQUIRE)\w*(?:\.\w+)?!?[ \t]*\([ \t]*"
    r"(?:[tT]rue|1|1[ \t]*==[ \t]*1)[ \t]*(?:,[ \t]*(?:[tT]rue|1|[\"'][^\"'\n]{0,200}[\"'])[ \t]*)?\)"
    r"|\bassert_?(?:False|Not)\w*\([ \t]*[fF]alse[ \t]*\)"
    r"|\bAssert\.\w+\([ \t]*true[ \t]*\)"
    r"|\b(?:assert|EXPECT|ASSERT)\w*(?:\.\w+)?!?[ \t]*\([ \t]*(?P<twin>[\w.\"']{1,60})[ \t]*,[ \t]*(?P=twin)[ \t]*\)"
    r"|\bexpect\((?P<again>[\w.\"']{1,60})\)\.(?:to\w+)\((?P=again)\)",
    re.MULTILINE,
)


def _words(tests: str, skips: str, *assertions: str) -> TestWords:
    return TestWords(
        tests=re.compile(tests, re.MULTILINE),
        skips=re.compile(skips, re.MULTILINE),
        assertions=re.compile("|".join((*assertions, *_CALLED_ASSERTIONS)), re.MULTILINE),
    )


_PYTHON = _words(
    r"^[ \t]*(?:async[ \t]+)?def[ \t]+(?P<name>test\w*)[ \t]*\(",
    r"\bmark\.(?:skip|skipif|xfail)\b|\bpytest\.(?:skip|xfail|importorskip)\(|\bunittest\.skip\w*|\bexpectedFailure\b|"
    r"\bskipTest\(|\bSkipTest\b|^[ \t]*@skip\w*|\b__test__[ \t]*=[ \t]*False\b|\bcollect_ignore\w*",
    r"^[ \t]*assert\b",
)
_JAVASCRIPT = _words(
    r"(?<![.\w$])(?:x|f)?(?:it|test|specify)(?:\.(?!each\b)\w+){0,3}(?:\.each\b[^\n]{0,200}?\))?[ \t]*\(\s*"
    r"[\"'`](?P<name>[^\"'`\n]{0,120})",
    r"(?<![.\w$])(?:it|test|describe|context|suite|specify|bench)(?:\.\w+){0,2}\.(?:skip|only|todo|fixme|failing|skipIf|"
    r"runIf|fails)\b|(?<![.\w$])(?:x|f)(?:it|test|describe|context|specify)\(|\bthis\.skip\(|\b(?:t|ctx)\.skip\(",
    r"\bassert\(|\.(?:should|to)\.",
)
_JVM = _words(
    r"@(?:Test|ParameterizedTest|RepeatedTest|TestFactory|TestTemplate|Property|Scenario)\b|"
    r"^[ \t]*(?:public[ \t]+)?void[ \t]+(?P<name>test\w*)\(\)[ \t]*(?:throws[ \t][^{\n]{1,200})?\{|"
    r"^[ \t]*def[ \t]+[\"'](?P<title>[^\"'\n]{0,120})|"
    r"^[ \t]*(?:test|it|should|scenario|Scenario|ignore|xtest|xit)[ \t]*\([ \t]*\"(?P<text>[^\"\n]{0,120})|"
    r"^[ \t]*\"[^\"\n]{1,120}\"[ \t]+in\b",
    r"@(?:Disabled|Ignore|Ignored|PendingFeature)\w*\b|\bassum(?:e|ing)\w*\(|\bAssum(?:e|ptions)\.\w+|"
    r"\benabled[ \t]*=[ \t]*false\b|^[ \t]*(?:ignore|xtest|xit|xshould|xdescribe|pending)\b|"
    r"\bSkipException\b|\bcancel\(",
    r"^[ \t]*assert\b",
    r"(?<!fun )(?<!void )\bshould(?:Be|Not|Have|Throw|Contain|Equal|Match|Start|End)\w*",
    r"\b(?:should|must)[ \t]+(?:be|equal|have|include|contain|not|===)\b",
)
_C_SHARP = _words(
    r"\[(?:[\w.]+,[ \t]*)?(?:Fact|Theory|Test|TestMethod|DataTestMethod|TestCase|TestCaseSource)\b",
    r"\[(?:[\w.]+,[ \t]*)?(?:Ignore|Explicit)\b|\bSkip[ \t]*=|\bAssert\.(?:Ignore|Inconclusive|Pass|Skip)\w*\(|"
    r"\bSkip\.If",
    r"\.Should\w*\(",
)
_GO = _words(
    r"^func[ \t]+(?P<name>(?:Test|Fuzz|Example|Benchmark)\w*)\(|\bt\.Run\([ \t]*\"(?P<sub>[^\"\n]{0,120})",
    r"\b[tbf]\.Skip(?:f|Now)?\(|\bs\.T\(\)\.Skip|^//go:build[ \t]+ignore",
)
_RUST = _words(
    r"#\[(?:\w+::)*(?:test|rstest|test_case|wasm_bindgen_test|proptest)\b[^\]\n]{0,200}\]",
    r"#\[ignore\b|#\[cfg_attr\([^\]\n]{0,100}\bignore\b|#\[should_panic\b|#\[cfg\((?:any\(\)|FALSE)\)\]",
)
_RUBY = _words(
    r"^[ \t]*(?:x|f)?(?:it|specify|scenario|test|example)\b[ \t(]+[\"'](?P<name>[^\"'\n]{0,120})|"
    r"^[ \t]*def[ \t]+(?P<method>test_\w+)",
    r"^[ \t]*(?:x|f)(?:it|describe|context|specify|scenario|example)\b|^[ \t]*(?:skip|pending|omit)\b|"
    r"(?::skip|:pending|\bskip:|\bpending:)",
    r"^[ \t]*(?:assert|refute|expect)\w*[ \t]+\S|\.(?:must|wont)_\w+",
)
_PHP = _words(
    r"\bfunction[ \t]+(?P<name>test\w*)[ \t]*\(|@test\b|#\[Test\b|"
    r"^[ \t]*(?:it|test)\([ \t]*[\"'](?P<text>[^\"'\n]{0,120})",
    r"\bmarkTest(?:Skipped|Incomplete)\b|->(?:skip|todo|only)\(|#\[Requires|@requires\b|@doesNotPerformAssertions\b",
)
_SWIFT = _words(
    r"\bfunc[ \t]+(?P<name>test\w*)[ \t]*\(|@Test\b",
    r"\bXCTSkip\w*|\.disabled\(|\.enabled\([ \t]*if:|\bwithKnownIssue\b|\bXCTExpectFailure\b",
)
_CPP = _words(
    r"^[ \t]*(?:TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P|TEST_CASE|TEST_METHOD|SCENARIO|BOOST_\w*TEST_CASE|"
    r"START_TEST|QTEST)[ \t]*\((?P<name>[^)\n]{0,120})",
    r"\bGTEST_SKIP\b|\bDISABLED_\w+|\bdisabled\(|\[!?(?:mayfail|shouldfail|\.)\]|\bSKIP\(|\bQSKIP\(",
)
_BASH = _words(
    r"^[ \t]*@test[ \t]+[\"'](?P<name>[^\"'\n]{0,120})|^[ \t]*(?:function[ \t]+)?(?P<function>test_?\w+)[ \t]*\(\)",
    r"^[ \t]*skip\b|^[ \t]*startSkipping\b",
    r"^[ \t]*(?:assert\w*|refute\w*|\[\[?|test)[ \t]",
)

TEST_WORDS: Mapping[Language, TestWords] = {
    Language.BASH: _BASH,
    Language.C: _CPP,
    Language.CPP: _CPP,
    Language.C_SHARP: _C_SHARP,
    Language.GO: _GO,
    Language.GROOVY: _JVM,
    Language.JAVA: _JVM,
    Language.JAVASCRIPT: _JAVASCRIPT,
    Language.KOTLIN: _JVM,
    Language.PHP: _PHP,
    Language.PYTHON: _PYTHON,
    Language.RUBY: _RUBY,
    Language.RUST: _RUST,
    Language.SCALA: _JVM,
    Language.SWIFT: _SWIFT,
    Language.TSX: _JAVASCRIPT,
    Language.TYPESCRIPT: _JAVASCRIPT,
}
