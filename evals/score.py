"""What came of a migration: each file beside what the oracle says, and what it took."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch

from msgspec import Struct

from evals.migration import Files, Migration


class Verdict(Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths with the repository before them. `right` counts the files that had to change and did so, to the byte;
    `missed` are those that stayed as they were, `wrong` those that became, or were made, something else; `asked` are
    files that nobody may ask about, and somebody did."""

    files: int
    to_change: int
    right: int
    missed: tuple[str, ...]
    wrong: tuple[str, ...]
    asked: tuple[str, ...]

    @property
    def is_perfect(self) -> bool:
        return not (self.missed or self.wrong or self.asked)


class Score(Struct, frozen=True, kw_only=True, rename="camel"):
    """Of one migration. `status` and `failures` are the job's; tokens and money are what its calls took."""

    name: str
    hard: str
    success: bool
    status: str
    failures: Mapping[str, str]
    verdict: Verdict
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float


def judge(migration: Migration, after: Mapping[str, Files], asked: Mapping[str, Sequence[str]]) -> Verdict:
    """`after` has the files of each repository as they are after the job, `asked` the paths that Claude was asked
    about."""
    states: dict[str, _State] = {}
    files = 0
    for name, before in migration.repositories().items():
        files += len(before)
        states |= {f"{name}: {path}": state for path, state in _compare(migration, before, after[name])}
    return Verdict(
        files=files,
        to_change=sum(state.had_to_change for state in states.values()),
        right=sum(state.had_to_change and state.is_right for state in states.values()),
        missed=tuple(path for path, state in states.items() if not state.is_right and state.is_untouched),
        wrong=tuple(path for path, state in states.items() if not state.is_right and not state.is_untouched),
        asked=tuple(f"{name}: {path}" for name in asked for path in asked[name] if _is_skipped(migration, path)),
    )


class _State(Struct, frozen=True, kw_only=True):
    had_to_change: bool
    is_untouched: bool
    is_right: bool


def _compare(migration: Migration, before: Files, after: Files) -> Iterator[tuple[str, _State]]:
    right = migration.oracle(before)
    for path in sorted({*before, *after}):
        yield (
            path,
            _State(
                had_to_change=right.get(path) != before.get(path),
                is_untouched=after.get(path) == before.get(path),
                is_right=after.get(path) == right.get(path),
            ),
        )


def _is_skipped(migration: Migration, path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in migration.skipped)
