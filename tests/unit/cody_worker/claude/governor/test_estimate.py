"""What a call will use."""

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from cody_jobs.outcomes import ThreadMessage
from cody_jobs.ports.room_store import Room
from cody_worker.claude import ClaudeRequest
from cody_worker.claude.governor.estimate import Estimate, counted
from cody_worker.claude.prices import TokenCounts


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def estimate(clock: Clock) -> Estimate:
    return Estimate(clock)


def _request(file: str, *, task: str = "t" * 8_000, marked: bool = True) -> ClaudeRequest:
    mark = {"cache_control": {"type": "ephemeral"}} if marked else {}
    blocks = [{"type": "text", "text": task, **mark}, {"type": "text", "text": file}]
    message = ThreadMessage(role="user", content=Raw(msgspec.json.encode(blocks)))
    return ClaudeRequest(model="m", messages=(message,), tools=Raw(b"[]"), max_output_tokens=5_000)


def _tokens(prompt: int, *, created: int = 0, read: int = 0, output: int = 100) -> TokenCounts:
    return TokenCounts(input=prompt - created - read, cache_creation=created, cache_read=read, output=output)


def test_the_first_guess_is_a_careful_one(estimate: Estimate) -> None:
    guess = estimate.before(_request("x" * 1_000))
    assert guess.requests == 1
    assert guess.input_tokens > 9_000 / 4
    assert guess.output_tokens == pytest.approx(1_100)


def test_it_learns_tokens_for_bytes_and_the_output_of_such_calls(estimate: Estimate) -> None:
    request = _request("x" * 1_000, marked=False)
    for _ in range(10):
        estimate.answered(request, _tokens(1_000, output=200))
    guess = estimate.before(request)
    assert (guess.input_tokens, guess.output_tokens) == (pytest.approx(1_000), pytest.approx(220))
    assert estimate.before(replace(request, max_output_tokens=50)).output_tokens == 50


def test_what_is_read_from_the_cache_does_not_count(estimate: Estimate) -> None:
    estimate.answered(_request("a" * 1_000), _tokens(2_300, created=2_000))
    assert estimate.before(_request("b" * 1_000)).input_tokens == pytest.approx(300, rel=0.2)
    assert estimate.before(_request("b" * 1_000, task="u" * 8_000)).input_tokens > 2_000


def test_a_beginning_that_was_too_short_for_the_cache_counts(estimate: Estimate) -> None:
    estimate.answered(_request("a" * 1_000), _tokens(2_300))
    assert estimate.before(_request("b" * 1_000)).input_tokens == pytest.approx(2_300, rel=0.1)


def test_claude_forgets_what_nobody_reads_for_minutes(estimate: Estimate, clock: Clock) -> None:
    estimate.answered(_request("a" * 1_000), _tokens(2_300, created=2_000))
    clock.now += 200
    estimate.answered(_request("b" * 1_000), _tokens(2_300, read=2_000))
    clock.now += 200
    assert estimate.before(_request("c")).input_tokens < 500
    clock.now += 400
    assert estimate.before(_request("c")).input_tokens > 1_500


def test_a_file_that_speaks_of_cache_marks_has_none(estimate: Estimate) -> None:
    talking = _request('{"cache_control": 1}' * 100, marked=False)
    estimate.answered(talking, _tokens(2_300, created=2_000))
    assert estimate.before(talking).input_tokens == pytest.approx(2_300, rel=0.1)


def test_of_what_was_used_cached_input_does_not_count_and_written_cache_does() -> None:
    used = counted(_tokens(2_300, created=500, read=1_500, output=70))
    assert used == Room(requests=1, input_tokens=800, output_tokens=70)
