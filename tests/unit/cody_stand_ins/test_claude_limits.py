"""The stand-in's limits, in simulated time."""

import httpx
import pytest

from cody_stand_ins.claude import ClaudeStandIn
from cody_stand_ins.claude.faults import Fault, FaultChooser, FaultKind, Faults
from cody_stand_ins.claude.limits import Limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _headers(limits: Limits) -> dict[str, str]:
    return {name.decode().removeprefix("anthropic-ratelimit-"): value.decode() for name, value in limits.headers("m")}


def test_a_bucket_holds_a_minute_and_fills_up_continuously(clock: Clock) -> None:
    limits = Limits(Faults(requests_per_minute=60), clock)
    assert [limits.admit("m", 1) for _ in range(60)] == [None] * 60
    refusal = limits.admit("m", 1)
    assert refusal is not None
    assert "60 requests per minute" in refusal.message
    assert refusal.retry_after == pytest.approx(1)
    clock.now += 1.001
    assert limits.admit("m", 1) is None
    assert limits.admit("m", 1) is not None
    assert limits.admit("another model", 1) is None


def test_what_is_refused_takes_nothing(clock: Clock) -> None:
    limits = Limits(Faults(requests_per_minute=2, input_tokens_per_minute=10_000), clock)
    assert limits.admit("m", 20_000) is not None
    assert _headers(limits)["requests-remaining"] == "2"
    assert limits.admit("m", 10_000) is None


def test_output_overdraws_its_bucket_and_bars_the_next_request(clock: Clock) -> None:
    limits = Limits(Faults(output_tokens_per_minute=6_000), clock)
    assert limits.admit("m", 1) is None
    limits.spend_output("m", 7_000)
    assert _headers(limits)["output-tokens-remaining"] == "0"
    refusal = limits.admit("m", 1)
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(10.01)


def test_in_a_faster_world_everything_is_faster(clock: Clock) -> None:
    limits = Limits(Faults(requests_per_minute=60, time_scale=20), clock)
    for _ in range(60):
        limits.admit("m", 1)
    refusal = limits.admit("m", 1)
    assert refusal is not None
    assert limits.retry_after(refusal) == b"0.050"
    assert _headers(limits)["requests-limit"] == "60"


def test_an_episode_begins_and_ends(clock: Clock) -> None:
    chooser = FaultChooser(Faults(faults=(Fault(kind=FaultKind.OVERLOADED, after=5, lasts=10),)), clock)
    seen: list[bool] = []
    for clock.now in (0, 4.9, 5, 14.9, 15):
        seen.append(chooser.choose(None) is not None)
    assert seen == [False, False, True, True, False]


async def test_every_answer_tells_what_is_left(stand_in: ClaudeStandIn, http: httpx.AsyncClient) -> None:
    await stand_in.set_faults(requests_per_minute=2, input_tokens_per_minute=40_000, output_tokens_per_minute=8_000)
    body = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "x" * 16_000}]}
    answers = [await http.post("/v1/messages", json=body) for _ in range(3)]
    left = [answer.headers["anthropic-ratelimit-input-tokens-remaining"] for answer in answers]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert left == ["36000", "32000", "32000"]
    stats = await stand_in.stats()
    assert (stats.messages, stats.limited) == (3, 1)
