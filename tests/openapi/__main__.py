"""`python -m tests.openapi [PYTEST ARGUMENTS]`: run tests that use GitHub's stand-in, and hold every request and answer
of REST against GitHub's published description. Needs npm, which fetches it into a temporary folder.

With `--recordings FOLDER` nothing runs; what an earlier `STAND_IN_RECORDINGS=FOLDER pytest …` kept is checked."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from cody_stand_ins.github.record import RECORDINGS, Exchange
from tests.openapi.check_exchange import Checker
from tests.openapi.description import fetch_description, read_description

_TESTS = ("tests/unit/cody_stand_ins/github", "tests/unit/cody_hosts/github", "tests/contract/test_code_host.py")


def main(arguments: Sequence[str]) -> int:
    options, tests = _parser().parse_known_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cody-openapi-") as name:
        folder = Path(name)
        recordings = options.recordings or folder
        if options.recordings is None and _run_tests(folder, tests or _TESTS):
            return 1
        checker = Checker(read_description(options.description or fetch_description(folder)))
        return _report(checker, list(_exchanges(recordings)))


def _run_tests(folder: Path, tests: Sequence[str]) -> int:
    environment = {**os.environ, RECORDINGS: str(folder)}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], env=environment).returncode


def _exchanges(folder: Path) -> Iterator[Exchange]:
    """Each kind of call once: the same one many times over says nothing new."""
    seen: set[bytes] = set()
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            if line not in seen:
                seen.add(line)
                yield msgspec.json.decode(line, type=Exchange)


def _report(checker: Checker, exchanges: Sequence[Exchange]) -> int:
    problems = Counter(problem for exchange in exchanges for problem in checker.problems(exchange))
    for problem, count in problems.most_common():
        sys.stdout.write(f"{count:5} × {problem}\n")
    sys.stdout.write(f"{len(exchanges)} requests and answers checked, {len(problems)} problems\n")
    return 1 if problems or not exchanges else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.openapi", description=__doc__)
    parser.add_argument("--description", type=Path, metavar="FILE", help="api.github.com.json, in place of fetching it")
    parser.add_argument("--recordings", type=Path, metavar="FOLDER", help="check these, and run no test")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
