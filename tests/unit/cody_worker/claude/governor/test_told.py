"""What the headers of an answer tell."""

import pytest

from cody_jobs.ports.room_store import RoomLimits
from cody_worker.claude.governor.told import told_left, told_limits


def test_limits_and_what_is_left_are_read() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-10-21T12:00:00Z",
        "anthropic-ratelimit-input-tokens-limit": "40000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-limit": "48000",
    }
    assert told_limits(headers) == RoomLimits(requests=50, input_tokens=40_000)
    assert told_left(headers) == RoomLimits(requests=49, input_tokens=0)


@pytest.mark.parametrize("text", ["", "many", "-1", "1e3", "nan", "٣"])
def test_what_is_no_number_is_as_good_as_nothing(text: str) -> None:
    assert told_limits({"anthropic-ratelimit-requests-limit": text}) == RoomLimits()
