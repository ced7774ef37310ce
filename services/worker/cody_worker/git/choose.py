"""Choose the candidates among a repository's files."""

import re
from collections import Counter
from collections.abc import Callable

import pathspec

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode, FileCounts
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.scope import Candidate, Scope, ScopeRules, SkipReason
from cody_worker.git.skip_reasons import is_marked_as_generated, reason_by_path, reason_by_size, text_of
from cody_worker.git.trees import FoundFile, walk_files

_EXECUTABLE = 0o100755
_REGULAR = 0o100644


def choose_candidates(store: ObjectStore, root: bytes, rules: ScopeRules) -> Scope:
    """Examine every file that the patterns choose, one at a time. A file without the `match` is no candidate and was
    not skipped either. Raises `JobFailed(repository_too_large)` above the rules' `max_candidates`."""
    is_chosen = _chooser(rules)
    match = _compile(rules.match)
    candidates: list[Candidate] = []
    skipped: Counter[SkipReason] = Counter()
    examined = 0
    for file in walk_files(store, root):
        if not is_chosen(file.path):
            continue
        examined += 1
        verdict = _examine(store, file, rules.max_file_bytes, match)
        if isinstance(verdict, SkipReason):
            skipped[verdict] += 1
        elif verdict is not None:
            candidates.append(verdict)
            _check_number(len(candidates), rules.max_candidates)
    candidates.sort(key=lambda candidate: candidate.path)
    counts = FileCounts(
        examined=examined,
        candidates=len(candidates),
        skipped={reason.value: number for reason, number in sorted(skipped.items())},
    )
    return Scope(candidates=tuple(candidates), counts=counts)


def _examine(
    store: ObjectStore, file: FoundFile, max_bytes: int, match: re.Pattern[str] | None
) -> Candidate | SkipReason | None:
    reason = reason_by_path(file.path, file.mode)
    if reason is not None:
        return reason
    size = store.size_of_blob(file.id)
    reason = reason_by_size(size, max_bytes=max_bytes)
    if reason is not None:
        return reason
    text = text_of(store.read_blob(file.id))
    if isinstance(text, SkipReason):
        return text
    if is_marked_as_generated(text):
        return SkipReason.GENERATED
    if match is not None and not match.search(text):
        return None
    mode = _EXECUTABLE if file.mode & 0o111 else _REGULAR
    return Candidate(path=file.path.decode(), blob_id=file.id.hex(), size=size, mode=mode)


def _chooser(rules: ScopeRules) -> Callable[[bytes], bool]:
    include, exclude = (_patterns(lines) if lines else None for lines in (rules.include, rules.exclude))

    def is_chosen(raw_path: bytes) -> bool:
        path = raw_path.decode(errors="surrogateescape")
        if include is not None and not include.match_file(path):
            return False
        return exclude is None or not exclude.match_file(path)

    return is_chosen


def _patterns(lines: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        raise _wrong_rule(f"a pattern of `include` or `exclude` is wrong: {error}") from error


def _compile(match: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(match) if match is not None else None
    except (re.error, RecursionError, OverflowError) as error:
        raise _wrong_rule(f"`match` is not a regular expression: {error}") from error


def _wrong_rule(message: str) -> JobFailed:
    # Jobs are checked when they are accepted; one that gets here was written into the store by other means.
    return JobFailed(FailureCode.INTERNAL_ERROR, message)


def _check_number(candidates: int, most: int) -> None:
    if candidates > most:
        raise JobFailed(
            FailureCode.REPOSITORY_TOO_LARGE,
            f"more than {most:,} files would be asked about: narrow them by `include`, `exclude` or `match`",
        )
