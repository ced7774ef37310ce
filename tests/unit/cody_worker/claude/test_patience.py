"""How long is waited, without waiting."""

import random

import pytest

from cody_worker.claude.patience import Backoff, Outage


def _waits(named: float | None = None, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [Backoff().wait(attempt, named, chance) for attempt in range(40)]


def test_waits_grow_and_stay_below_the_bound() -> None:
    waits = _waits()
    assert waits[0] < waits[3] < waits[6]
    assert all(0.25 <= wait <= 30 for wait in waits)


def test_waits_of_two_workers_differ() -> None:
    assert _waits(seed=1) != _waits(seed=2)


@pytest.mark.parametrize(("named", "least", "most"), [(5.0, 5.0, 5.2), (3_600.0, 60.0, 60.2), (0.0, 0.25, 0.7)])
def test_a_named_time_is_kept_but_capped(named: float, least: float, most: float) -> None:
    chance = random.Random(1)
    for _ in range(100):
        assert least <= Backoff().wait(0, named, chance) <= most


def test_an_outage_begins_with_the_first_failure_after_an_answer() -> None:
    outage = Outage()
    with outage.asking():
        assert outage.failed(10.0) == 10.0
        assert outage.failed(20.0) == 10.0
        outage.answered()
        assert outage.failed(30.0) == 30.0


def test_time_in_which_nobody_asks_is_no_outage() -> None:
    outage = Outage()
    with outage.asking():
        with outage.asking():
            outage.failed(10.0)
        assert outage.failed(20.0) == 10.0
    with outage.asking():
        assert outage.failed(1_000.0) == 1_000.0
