"""Where GitHub is known not to follow its own description. Each has its reason; nothing else is let through."""

import re
from collections.abc import Sequence

from msgspec import Struct


class Oddity(Struct, frozen=True):
    """`operation` and `place` are regular expressions; the place is the path in the answer, as `head/repo`."""

    operation: str
    place: str
    reason: str


NULLS: Sequence[Oddity] = (
    Oddity(r"/pulls", r"(\d+/)?head/repo", "null when the repository of the branch was deleted"),
    Oddity(r"/pulls", r"(\d+/)?labels/\d+/description", "null where a label has none"),
    Oddity(r"/check-runs", r"check_runs/\d+/conclusion", "null until it is over, which its list of words leaves out"),
    Oddity(r"GET /search/issues", r"items/\d+/body", "null where a pull request has no body"),
)
"""Null where the description has none."""

DROPPED_BY_NEWER = frozenset({"merge_commit_sha", "assignee"})
"""Version 2026-03-10 has no more of these in pull requests; the package describes 2022-11-28."""

NEWER = "2026-03-10"

EVERYWHERE = frozenset({301, 307, 400, 401, 403, 404, 429})
"""Statuses that any operation may answer with (credentials, versions, limits, what moved or is not there), listed or
not."""

UNDESCRIBED: Sequence[Oddity] = (
    Oddity(r"GET /repositories/\d+(/.*)?", "", "where GitHub sends whoever asks for a repository that moved"),
)
"""Operations that GitHub has and the description has not."""


def is_undescribed(operation: str) -> bool:
    return any(re.fullmatch(one.operation, operation) for one in UNDESCRIBED)


def is_known_null(operation: str, place: str) -> bool:
    return any(re.search(one.operation, operation) and re.fullmatch(one.place, place) for one in NULLS)
