"""Choose repositories that differ, and say why each of them is one."""

import math
from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.models import SampledRepository


class RepositoryFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a look at a repository has found, without asking Claude. `languages` begin with the one most candidates are
    written in; `files` were examined; `bytes` are those of the candidates. `problem` says why there are no facts."""

    repository: str
    languages: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    candidates: int = 0
    matches: int = 0
    problem: str | None = None


def choose_sample(facts: Sequence[RepositoryFacts], size: int) -> tuple[SampledRepository, ...]:
    """`size` of them (all, when there are fewer): the most typical one, then always the one that is farthest from all
    that were chosen before (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"). Those without
    a candidate come last. The same facts in the same order lead to the same choice.
    """
    useful = [one for one in facts if one.candidates]
    space = _Space(useful)
    chosen = space.farthest_first(min(size, len(useful)))
    told = [_tell(one, chosen[:place], useful) for place, one in enumerate(chosen)]
    rest = sorted((one for one in facts if not one.candidates), key=lambda one: one.problem is not None)
    return (*told, *(_tell_of_rest(one) for one in rest[: size - len(told)]))


class _Space:
    """Repositories as points: how far two are from each other, by language, size and number of matches."""

    def __init__(self, facts: Sequence[RepositoryFacts]) -> None:
        self._facts = facts
        sizes = _scaled([one.bytes for one in facts])
        matches = _scaled([one.matches for one in facts])
        self._points = [
            (frozenset(one.languages), *at) for one, at in zip(facts, zip(sizes, matches, strict=True), strict=True)
        ]

    def farthest_first(self, number: int) -> list[RepositoryFacts]:
        if not number:
            return []
        everything = range(len(self._points))
        chosen = [min(everything, key=lambda here: math.fsum(self._distance(here, there) for there in everything))]
        nearest = [self._distance(chosen[0], there) for there in everything]
        while len(chosen) < number:
            left = [place for place in everything if place not in chosen]
            chosen.append(max(left, key=lambda place: nearest[place]))
            nearest = [min(near, self._distance(chosen[-1], there)) for there, near in enumerate(nearest)]
        return [self._facts[place] for place in chosen]

    def _distance(self, one: int, other: int) -> float:
        languages, size, matches = self._points[one]
        other_languages, other_size, other_matches = self._points[other]
        return _difference(languages, other_languages) + abs(size - other_size) + abs(matches - other_matches)


def _scaled(numbers: Sequence[int]) -> list[float]:
    """From 0 to 1, by their logarithms: 10 and 100 files are as different as 100 and 1,000."""
    logarithms = [math.log1p(number) for number in numbers]
    least, most = min(logarithms, default=0.0), max(logarithms, default=0.0)
    return [(one - least) / (most - least) if most > least else 0.0 for one in logarithms]


def _difference(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's: 0 for the same languages, 1 for none in common."""
    return 1 - len(one & other) / len(one | other) if one | other else 0.0


def _tell(
    one: RepositoryFacts, before: Sequence[RepositoryFacts], useful: Sequence[RepositoryFacts]
) -> SampledRepository:
    what = ", ".join(one.languages[:2]) or "no known language"
    found = f"{_count(one.matches, 'match', 'matches')} in {_count(one.candidates, 'file', 'files')}"
    return SampledRepository(repository=one.repository, why=f"{_lead(one, before, useful)}; {what}; {found}")


def _lead(one: RepositoryFacts, before: Sequence[RepositoryFacts], useful: Sequence[RepositoryFacts]) -> str:
    if not before:
        return "the most typical" if len(useful) > 1 else "the only one with something to change"
    sizes, matches = {other.bytes for other in useful}, {other.matches for other in useful}
    if len(sizes) > 1 and one.bytes in {min(sizes), max(sizes)}:
        return "the largest" if one.bytes == max(sizes) else "the smallest"
    if len(matches) > 1 and one.matches in {min(matches), max(matches)}:
        return "the most matches" if one.matches == max(matches) else "the fewest matches"
    if one.languages and all(one.languages[0] not in other.languages for other in before):
        return f"the first in {one.languages[0]}"
    return "unlike those before it"


def _tell_of_rest(one: RepositoryFacts) -> SampledRepository:
    if one.problem is not None:
        return SampledRepository(repository=one.repository, why=f"could not be looked at ({one.problem})")
    files = _count(one.files, "file", "files")
    return SampledRepository(repository=one.repository, why=f"no candidate in {files}; there were no others left")


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
