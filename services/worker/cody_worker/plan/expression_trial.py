"""A program: try regular expressions on texts that make bad ones run without end. It is run by its path, without any
package; `try_expressions` starts it.

Standard input is a JSON list of expressions. For each one, in order, a line is written: what is wrong with it, as
JSON, or null. One that takes too long ends the program before its line: the kernel counts, because no signal handler
of Python's runs while an expression does.
"""

import json
import re
import resource
import signal
import sys
import warnings

_CPU_SECONDS = 0.6
_MEMORY = 1 << 30
_RUN = 250
"""Long enough for whatever takes exponential time, or much more than the square of a line's length."""
_LONG_TEXT = (
    "def first_name(self, value: dict[str, int] = None) -> None:  return self.call(value[0], 'text', x=1.5);\n" * 1_000
)
"""Long enough for what takes the square of a whole file's length."""
_UNLIKE = ("a\n", "x = 1;\n", "# Title\n\nSome words\n", '{"k": [1]}\n', "<a/>\n", "\t- b: 'c'\n")
"""No expression that is meant for something matches in all of these."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    warnings.simplefilter("ignore")
    for expression in json.load(sys.stdin):
        signal.setitimer(signal.ITIMER_VIRTUAL, _CPU_SECONDS)
        print(json.dumps(_wrong_with(expression)), flush=True)


def _wrong_with(expression: str) -> str | None:
    try:
        compiled = re.compile(expression, re.MULTILINE)
    except (re.error, RecursionError, OverflowError, MemoryError) as error:
        return f"is not a regular expression of Python's: {str(error) or type(error).__name__}"
    if compiled.search("") or all(map(compiled.search, _UNLIKE)):
        return "matches in every text"
    for text in _texts(expression):
        for _ in compiled.finditer(text):
            pass
    return None


def _texts(expression: str) -> list[str]:
    """Runs of what the expression itself speaks of, each with an end that it may not expect."""
    characters = sorted({*re.sub(r"\\.", "", expression), *"a0 _.\n\t,("})
    words = re.findall(r"\w+", expression)
    runs = [piece * (_RUN // len(piece)) for piece in (*characters, *words, "a ", "a.", "a,", "a\n", "a\n    ")]
    return [*(run + "\0" for run in runs), _LONG_TEXT]


if __name__ == "__main__":
    main()
