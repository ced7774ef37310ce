"""What a job would cost is told as a range, from what is known without asking."""

from msgspec.structs import replace

from cody_jobs.estimates import Range, sum_up
from cody_worker.claude.prices import Prices
from cody_worker.estimate import Asking, FileFacts, estimate_repository

_ASKING = Asking(model="claude-sonnet-5-5", prefix=8_000)
_FILES = [FileFacts(size=6_000, matches=2)] * 20


def _estimate(asking: Asking = _ASKING, files: list[FileFacts] = _FILES) -> Range:
    return estimate_repository("owner/one", files, asking, Prices()).cost_microusd


def test_a_repository_without_candidates_costs_nothing() -> None:
    nothing = estimate_repository("owner/one", [], _ASKING, Prices(), known=3)
    assert (nothing.cost_microusd, nothing.input_tokens, nothing.known) == (Range(), Range(), 3)


def test_what_is_expected_lies_within_the_range() -> None:
    estimate = estimate_repository("owner/one", _FILES, _ASKING, Prices())
    for kind in (estimate.cost_microusd, estimate.input_tokens, estimate.output_tokens):
        assert 0 < kind.low < kind.expected < kind.high
    assert (estimate.candidates, estimate.matches) == (20, 40)


def test_more_bytes_and_more_matches_cost_more() -> None:
    longer = [FileFacts(size=12_000, matches=2)] * 20
    busier = [FileFacts(size=6_000, matches=9)] * 20
    assert _estimate().expected < _estimate(files=longer).expected
    assert _estimate().expected < _estimate(files=busier).expected


def test_a_long_beginning_is_paid_for_once_and_then_read_from_the_cache() -> None:
    once, often = _estimate(files=_FILES[:1]).expected, _estimate(files=_FILES).expected
    assert often < 0.9 * 20 * once


def test_in_a_batch_it_costs_about_half() -> None:
    batch = _estimate(replace(_ASKING, batch=True))
    assert 0.5 <= batch.expected / _estimate().expected < 0.55


def test_what_was_counted_makes_the_range_of_tokens_narrower() -> None:
    guessed = estimate_repository("owner/one", _FILES, _ASKING, Prices()).input_tokens
    counted = estimate_repository("owner/one", _FILES, replace(_ASKING, tokens_per_byte=0.3), Prices()).input_tokens
    assert guessed.expected == counted.expected
    assert counted.high - counted.low < guessed.high - guessed.low


def test_a_job_costs_what_its_repositories_cost() -> None:
    one = estimate_repository("owner/one", _FILES, _ASKING, Prices())
    two = estimate_repository("owner/two", _FILES[:3], _ASKING, Prices())
    total = sum_up("claude-sonnet-5-5", (one, two), counted=False)
    assert total.cost_microusd == one.cost_microusd + two.cost_microusd
    assert total.repositories == (one, two)
