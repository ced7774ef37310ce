"""The scores, for people and for programs."""

from collections.abc import Sequence

import msgspec

from benchmarks.tables import print_head, print_row
from evals.score import Score

_NAMED = 5


def print_score_head() -> None:
    print_head("migration", "", "right", "missed", "wrong", "calls", "input", "cached", "output", "USD", "s")


def print_score(score: Score) -> None:
    verdict = score.verdict
    print_row(
        score.name,
        "ok" if score.success else "FAILED",
        f"{verdict.right} of {verdict.to_change}",
        len(verdict.missed),
        len(verdict.wrong),
        score.calls,
        f"{score.input_tokens:,}",
        f"{score.cached_tokens:,}",
        f"{score.output_tokens:,}",
        f"{score.cost_usd:.4f}",
        f"{score.seconds:.1f}",
    )


def print_total(scores: Sequence[Score]) -> None:
    print_row(
        "all",
        f"{sum(score.success for score in scores)} of {len(scores)}",
        f"{sum(score.verdict.right for score in scores)} of {sum(score.verdict.to_change for score in scores)}",
        sum(len(score.verdict.missed) for score in scores),
        sum(len(score.verdict.wrong) for score in scores),
        sum(score.calls for score in scores),
        f"{sum(score.input_tokens for score in scores):,}",
        f"{sum(score.cached_tokens for score in scores):,}",
        f"{sum(score.output_tokens for score in scores):,}",
        f"{sum(score.cost_usd for score in scores):.4f}",
        f"{sum(score.seconds for score in scores):.1f}",
    )


def print_reasons(scores: Sequence[Score]) -> None:
    """What is to be known of those that failed."""
    for score in scores:
        if not score.success:
            print(f"\n{score.name} ({score.hard}): {score.status}")
            for reason in _reasons(score):
                print(f"  {reason}")


def scores_as_json(scores: Sequence[Score]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(scores), indent=2) + b"\n"


def _reasons(score: Score) -> list[str]:
    lists = {
        "missed": score.verdict.missed,
        "wrong": score.verdict.wrong,
        "must not be asked about": score.verdict.asked,
    }
    files = [f"{what}: {path}" for what, paths in lists.items() for path in paths[:_NAMED]]
    return [*files, *(f"{name}: {failure}" for name, failure in list(score.failures.items())[:_NAMED])]
