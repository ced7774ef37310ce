"""Output of compilers, tests and linters as text: which lines matter, and what of them is the same in the next run."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_MATTERS = re.compile(
    r"(?i)\b(?:errors?|failed|failures?|fatal|panic(?:ked)?|exception|traceback|assert\w*|undefined|unresolved|denied"
    r"|cannot|can't|could not|not found|no such|missing|unexpected|expected|mismatch|segfault|segmentation fault"
    r"|abort(?:ed)?|killed|timed out|out of memory|warning as error|invalid)\b"
    r"|\w+(?:Error|Exception|Failure)\b|^\s*E\s{2,}|^\s*[✗✖×✕]|^\s*--> |^not ok\b|\bFAIL\b"
)
_COUNTED = r"(?:errors?|failures?|failed)\b"
_SUCCESS = re.compile(rf"(?i)^(?!.*\b[1-9]\d* {_COUNTED}).*\b(?:0|no) {_COUNTED}")
_BLOCK_STARTS = re.compile(r"^\s*Traceback \(most recent call last\)|^\s*(?:Caused by|Exception in thread)\b|^panic: ")
_BLOCK_GOES_ON = re.compile(r"^(?:\s+\S|\s*at |goroutine |Caused by|During handling|The above exception|$)")
_BLOCK_LINES = 60
_BEFORE, _AFTER, _END = 2, 4, 15

_CHANGING = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "…"),
    (re.compile(r"/tmp/[^\s:'\")]+|/var/folders/[^\s:'\")]+"), "/tmp/…"),  # noqa: S108 (in outputs)
    (re.compile(r"\d+"), "0"),
    (re.compile(r"(?:0[.,:]?)+ ?(?:ns|µs|us|ms|s|sec|secs|seconds?|m|min|minutes?)\b"), "0s"),
    (re.compile(r"[=\-_*~#.]{3,}"), "…"),
    (re.compile(r"\s+"), " "),
)
"""Addresses, temporary names, line numbers, counts, times, durations, rulers: other ones in the next run."""


def plain(output: str, tree: str) -> str:
    """Without colours and control characters, each line as a terminal would leave it, and paths in the work tree
    relative to it. `tree` is the work tree's path as the command saw it."""
    text = _CONTROL.sub("", _ESCAPES.sub("", output.replace("\r\n", "\n")))
    lines = (line.rsplit("\r", 1)[-1] for line in text.split("\n"))
    return "\n".join(lines).replace(f"file://{tree}/", "").replace(f"{tree}/", "").replace(tree, ".")


def failing_lines(text: str) -> Counter[str]:
    """How often each line that tells of a failure is there, without what differs from run to run."""
    return Counter(normalized(line) for line in text.splitlines() if _tells_of_failure(line))


def normalized(line: str) -> str:
    for pattern, replacement in _CHANGING:
        line = pattern.sub(replacement, line)
    return line.strip()


def lines_that_matter(text: str, most_bytes: int, *, only: Iterable[str] | None = None) -> str:
    """Lines that tell of failures, with those around them, whole stack traces, and the end; cut to `most_bytes` of
    UTF-8 from the middle. With `only`, of the failing lines just those that are these when normalised."""
    lines = text.rstrip("\n").split("\n")
    wanted = None if only is None else set(only)
    kept = _kept(lines, wanted)
    shown: list[str] = []
    last = -1
    for number in sorted(kept):
        if number > last + 1:
            shown.append(f"[{number - last - 1} lines left out]")
        shown.append(lines[number])
        last = number
    return cut_middle("\n".join(shown), most_bytes)


def cut_middle(text: str, most_bytes: int) -> str:
    """Two thirds of what may stay from the beginning, one from the end, at line breaks where those are near."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    mark = "\n[… {:,} bytes left out …]\n"
    room = max(most_bytes - len(mark.format(len(data)).encode()), 0)
    head, tail = data[: room * 2 // 3], data[len(data) - room // 3 :] if room // 3 else b""
    head, tail = _whole_lines_before(head), _whole_lines_after(tail)
    missing = len(data) - len(head) - len(tail)
    return head.decode(errors="ignore") + mark.format(missing) + tail.decode(errors="ignore")


def _kept(lines: Sequence[str], wanted: set[str] | None) -> set[int]:
    kept = set(range(max(0, len(lines) - _END), len(lines)))
    for number, line in enumerate(lines):
        if _BLOCK_STARTS.search(line):
            block = _block(lines, number)
            if wanted is None or any(normalized(lines[inside]) in wanted for inside in block):
                kept.update(block)
        elif _tells_of_failure(line) and (wanted is None or normalized(line) in wanted):
            kept.update(range(max(0, number - _BEFORE), min(len(lines), number + _AFTER + 1)))
    return kept


def _block(lines: Sequence[str], start: int) -> range:
    end = start + 1
    while end < min(len(lines), start + _BLOCK_LINES) and _BLOCK_GOES_ON.search(lines[end]):
        end += 1
    return range(start, min(end + 1, len(lines)))


def _tells_of_failure(line: str) -> bool:
    return _MATTERS.search(line) is not None and _SUCCESS.search(line) is None


def _whole_lines_before(data: bytes) -> bytes:
    at = data.rfind(b"\n")
    return data[:at] if at > len(data) // 2 else data


def _whole_lines_after(data: bytes) -> bytes:
    at = data.find(b"\n")
    return data[at + 1 :] if 0 <= at < len(data) // 2 else data
