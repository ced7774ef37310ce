"""Decisions about limits, on a clock of the test's own."""

import pytest

from cody_hosts.github.limits import LaneLimits, Refusal, Resource, Told, read_headers, read_refusal

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
DATE_SECONDS = 1_700_000_000


def told(*, remaining: int, reset: float, resource: str = "core") -> Told:
    return Told(resource=resource, limit=5_000, remaining=remaining, reset=reset)


def test_times_are_read_by_the_servers_own_clock() -> None:
    headers = {"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(DATE_SECONDS + 90), "date": DATE}

    found = read_headers(headers, now=DATE_SECONDS - 5_000)

    assert (found.remaining, found.reset) == (7, 91.0)


@pytest.mark.parametrize("text", ["", "soon", "-5", "1e9", "٣", "9" * 400, "nan", "inf"])
def test_a_number_that_makes_no_sense_is_no_number(text: str) -> None:
    assert read_headers({"retry-after": text, "x-ratelimit-remaining": text}, now=0) == Told()


@pytest.mark.parametrize(
    ("status", "found", "message", "expected"),
    [
        (403, Told(retry_after=30), "", Refusal(secondary=True, after=30)),
        (429, Told(retry_after=30), "", Refusal(secondary=True, after=30)),
        (403, Told(remaining=0, reset=600), "API rate limit exceeded", Refusal(secondary=False, after=600)),
        (403, Told(remaining=9), "You have exceeded a secondary rate limit", Refusal(secondary=True, after=None)),
        (403, Told(remaining=9), "triggered an abuse detection mechanism", Refusal(secondary=True, after=None)),
        (429, Told(), "", Refusal(secondary=True, after=None)),
        (403, Told(remaining=9), "Resource not accessible by integration", None),
        (404, Told(remaining=0), "Not Found", None),
        (200, Told(remaining=0), "", None),
    ],
)
def test_limits_are_told_from_missing_permissions(
    status: int, found: Told, message: str, expected: Refusal | None
) -> None:
    assert read_refusal(status, found, message) == expected


def test_nobody_asks_once_the_rest_is_used_up_until_the_window_ends() -> None:
    limits = LaneLimits()
    limits.heard(Resource.CORE, told(remaining=2, reset=100), now=0)

    waits = list[float]()
    for _ in range(3):
        waits.append(limits.wait(Resource.CORE, now=10))
        limits.starts(Resource.CORE, now=10)

    assert waits == [0, 0, 90]
    assert limits.wait(Resource.CORE, now=101) == 0
    assert limits.wait(Resource.SEARCH, now=10) == 0


def test_of_answers_that_overtake_each_other_the_lower_one_is_believed() -> None:
    limits = LaneLimits()
    limits.heard(Resource.CORE, told(remaining=0, reset=100), now=0)
    limits.heard(Resource.CORE, told(remaining=5, reset=100), now=1)

    assert limits.wait(Resource.CORE, now=1) == 99


def test_a_new_window_begins_with_all_that_it_has() -> None:
    limits = LaneLimits()
    limits.heard(Resource.CORE, told(remaining=0, reset=100), now=0)
    limits.heard(Resource.CORE, told(remaining=4_999, reset=3_600), now=50)

    assert limits.wait(Resource.CORE, now=50) == 0


def test_a_primary_limit_pauses_what_it_limits_alone() -> None:
    limits = LaneLimits()

    assert limits.refused(Resource.SEARCH, Refusal(secondary=False, after=40), now=0) == 40
    assert limits.wait(Resource.SEARCH, now=10) == 30
    assert limits.wait(Resource.CORE, now=10) == 0


def test_a_secondary_limit_without_a_time_pauses_everything_for_longer_each_time() -> None:
    limits, now = LaneLimits(), 0.0
    pauses = list[float]()
    for _ in range(8):
        pauses.append(limits.refused(Resource.CORE, Refusal(secondary=True, after=None), now=now))
        assert limits.wait(Resource.SEARCH, now=now) == pauses[-1]
        now += pauses[-1]

    assert pauses == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]


def test_those_that_were_refused_together_count_once() -> None:
    limits = LaneLimits()

    assert [limits.refused(Resource.CORE, Refusal(secondary=True, after=None), now=0) for _ in range(2)] == [60, 120]
    assert limits.refused(Resource.CORE, Refusal(secondary=True, after=None), now=130) == 120


def test_after_an_answer_the_next_secondary_limit_is_the_first_again() -> None:
    limits = LaneLimits()
    limits.refused(Resource.CORE, Refusal(secondary=True, after=None), now=0)
    limits.answered()

    assert limits.refused(Resource.CORE, Refusal(secondary=True, after=None), now=100) == 60
