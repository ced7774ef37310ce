"""Choose the candidates among a repository's files."""

from collections import Counter

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode, FileCounts
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.preconditions import reason_to_leave_alone
from cody_worker.git.scope import Candidate, Scope, ScopeRules, SkipReason
from cody_worker.git.selection import Selection, text_or_reason
from cody_worker.git.trees import FoundFile, walk_files

_EXECUTABLE = 0o100755
_REGULAR = 0o100644


def choose_candidates(store: ObjectStore, root: bytes, rules: ScopeRules) -> Scope:
    """Examine every file that the patterns choose, one at a time. A file without a match is no candidate and was not
    skipped either; of a repository that the plan leaves alone, no file is examined. Raises
    `JobFailed(repository_too_large)` above the rules' `max_candidates`."""
    selection = Selection(rules)
    left_alone = reason_to_leave_alone(store, root, rules)
    if left_alone is not None:
        return Scope(candidates=(), counts=FileCounts(), left_alone=left_alone)
    candidates: list[Candidate] = []
    skipped: Counter[SkipReason] = Counter()
    examined = 0
    for file in walk_files(store, root):
        if not selection.has_path(file.path):
            continue
        examined += 1
        verdict = _examine(store, file, rules.max_file_bytes, selection)
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
    store: ObjectStore, file: FoundFile, max_bytes: int, selection: Selection
) -> Candidate | SkipReason | None:
    text = text_or_reason(store, file, max_bytes=max_bytes)
    if isinstance(text, SkipReason):
        return text
    matches = selection.count_matches(text)
    if matches is None:
        return None
    return Candidate(
        path=file.path.decode(),
        blob_id=file.id.hex(),
        size=store.size_of_blob(file.id),
        mode=_EXECUTABLE if file.mode & 0o111 else _REGULAR,
        matches=matches,
    )


def _check_number(candidates: int, most: int) -> None:
    if candidates > most:
        raise JobFailed(
            FailureCode.REPOSITORY_TOO_LARGE,
            f"more than {most:,} files would be asked about: narrow them by `include`, `exclude` or `match`",
        )
