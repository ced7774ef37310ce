"""What has become of a repository's files so far."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.models import FileCounts
from cody_jobs.outcomes import Edited, FileOutcome, GaveUp, LeftAlone, Reported


class EditedFiles(Struct, frozen=True, kw_only=True):
    """The edited files are staged in the repository process. `failed` are the ones that were given up; `main_reason`
    is the most frequent reason for leaving a file as it is; `findings` counts what was found in the
    `reported` files."""

    failed: Mapping[str, GaveUp]
    counts: FileCounts
    main_reason: str
    reported: int = 0
    findings: int = 0


class Tally:
    def __init__(self) -> None:
        self.stopped = False
        self._edited = 0
        self._failed: dict[str, GaveUp] = {}
        self._reasons: Counter[str] = Counter()
        self._reported = 0
        self._findings = 0
        self._reused = 0

    def add(self, path: str, outcome: FileOutcome, *, reused: bool = False) -> None:
        self._reused += reused
        match outcome:
            case Edited():
                self._edited += 1
            case LeftAlone(reason=reason):
                self._reasons[reason] += 1
            case Reported(reason=reason, findings=findings):
                self._reasons[reason] += 1
                self._reported += 1
                self._findings += len(findings)
            case GaveUp():
                self._failed[path] = outcome

    @property
    def edited(self) -> int:
        return self._edited

    def sum_up(self, counts: FileCounts) -> EditedFiles:
        counts = replace(
            counts,
            edited=self._edited,
            unchanged=self._reasons.total(),
            failed=len(self._failed),
            reused=self._reused,
        )
        main_reason = self._reasons.most_common(1)[0][0] if self._reasons else ""
        return EditedFiles(
            failed=self._failed,
            counts=counts,
            main_reason=main_reason,
            reported=self._reported,
            findings=self._findings,
        )
