"""The pace of changes, on a clock of the test's own."""

import random

import pytest

from cody_hosts.github.pace import Pace, PaceLimits


def most_in(times: list[float], seconds: float) -> int:
    """The largest number of times in any window that long."""
    most, start = 0, 0
    for end, time in enumerate(times):
        while times[start] <= time - seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


def arrivals(pace: Pace, count: int, *, latency: tuple[float, float] = (0.0, 0.0), seed: int = 1) -> list[float]:
    """When each of so many changes, made one after the other as fast as may be, arrives at the server."""
    chance, now, arrived = random.Random(seed), 0.0, list[float]()
    for _ in range(count):
        now += pace.take(now)
        took = chance.uniform(*latency)
        arrived.append(now + took * chance.random())
        now += took
        pace.went(now)
    return arrived


@pytest.mark.parametrize("latency", [(0.0, 0.0), (0.05, 0.4), (0.01, 0.7)])
def test_a_thousand_changes_use_the_minutes_limit_nearly_whole_and_never_break_it(
    latency: tuple[float, float],
) -> None:
    arrived = arrivals(Pace(PaceLimits(per_minute=80, per_hour=100_000)), 1_000, latency=latency)

    assert most_in(arrived, 60) <= 80
    assert 1_000 / (arrived[-1] - arrived[0]) * 60 >= 0.95 * 80


@pytest.mark.parametrize("latency", [(0.0, 0.0), (0.05, 0.7)])
def test_an_hour_has_no_more_than_its_limit_and_nearly_as_much(latency: tuple[float, float]) -> None:
    arrived = arrivals(Pace(PaceLimits()), 2_000, latency=latency)

    assert most_in(arrived, 3_600) <= 500
    assert most_in(arrived, 60) <= 80
    assert 1_500 / (arrived[1_500] - arrived[0]) * 3_600 >= 0.95 * 500


def test_changes_are_spread_over_the_minute() -> None:
    arrived = arrivals(Pace(PaceLimits()), 60)

    assert most_in(arrived, 7.5) <= 11


def test_what_slow_answers_cost_is_made_up_for_but_a_long_break_is_not() -> None:
    pace = Pace(PaceLimits(per_minute=60))
    pace.take(0.0)

    after_a_break = arrivals_from(pace, 100.0, 30)

    assert most_in(after_a_break, 1.0) <= 5
    assert after_a_break[-1] > 100 + 20


def test_a_turn_that_was_not_used_is_free_again() -> None:
    pace = Pace(PaceLimits(per_minute=1))
    pace.take(0.0)
    pace.give_back()

    assert pace.wait(1.0) < 61


def test_a_minute_may_be_shorter_for_tests() -> None:
    arrived = arrivals(Pace(PaceLimits(), minute=0.6), 80)

    assert arrived[-1] - arrived[0] == pytest.approx(0.6, rel=0.1)


def arrivals_from(pace: Pace, now: float, count: int) -> list[float]:
    times = list[float]()
    for _ in range(count):
        now += pace.take(now)
        times.append(now)
    return times
