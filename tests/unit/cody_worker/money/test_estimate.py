"""What a job would cost is told as a range, from what is known without asking."""

from msgspec.structs import replace

from cody_jobs.estimates import Range
from cody_worker.claude.prices import Prices
from cody_worker.estimate import Asking, RequestFacts, estimate_repository

_ASKING = Asking(model="claude-sonnet-5-5", prefix=8_000, cold=8_000)
_FILES = [RequestFacts(size=6_000, matches=2)] * 20


def _estimate(asking: Asking = _ASKING, files: list[RequestFacts] = _FILES) -> Range:
    return estimate_repository("owner/one", files, asking, Prices()).cost_microusd


def test_a_repository_without_candidates_costs_nothing() -> None:
    nothing = estimate_repository("owner/one", [], _ASKING, Prices(), known=3)
    assert (nothing.cost_microusd, nothing.input_tokens, nothing.known) == (Range(), Range(), 3)


def test_what_is_expected_lies_within_the_range() -> None:
    estimate = estimate_repository("owner/one", _FILES, _ASKING, Prices())
    for kind in (estimate.cost_microusd, estimate.input_tokens, estimate.output_tokens, estimate.calls):
        assert 0 < kind.low < kind.expected < kind.high
    assert (estimate.candidates, estimate.matches) == (20, 40)


def test_more_bytes_and_more_matches_cost_more() -> None:
    longer = [RequestFacts(size=12_000, matches=2)] * 20
    busier = [RequestFacts(size=6_000, matches=9)] * 20
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


def test_what_another_repository_has_sent_before_is_read_from_the_cache() -> None:
    assert _estimate(replace(_ASKING, cold=0)).expected < _estimate().expected
    assert _estimate(replace(_ASKING, cold=0)).low == _estimate().low


def test_a_beginning_that_is_too_short_for_the_cache_is_paid_for_each_time() -> None:
    haiku = replace(_ASKING, model="claude-haiku-4-5")
    once, often = _estimate(haiku, _FILES[:1]).expected, _estimate(haiku).expected
    assert abs(often - 20 * once) <= 20


def test_files_that_share_a_request_cost_less_than_alone() -> None:
    together = [RequestFacts(size=4 * 600, files=4, matches=8)] * 5
    alone = [RequestFacts(size=600, files=1, matches=2)] * 20
    assert _estimate(files=together).expected < 0.7 * _estimate(files=alone).expected


def test_a_judge_costs_a_call_for_each_repository_of_which_something_is_asked_or_known() -> None:
    judged = replace(_ASKING, judge=2_000)
    estimate = estimate_repository("owner/one", _FILES, judged, Prices())
    alone = estimate_repository("owner/one", _FILES, _ASKING, Prices())
    assert estimate.calls.low == alone.calls.low
    assert estimate.calls.expected == alone.calls.expected + 1
    assert estimate.cost_microusd.expected > alone.cost_microusd.expected
    assert estimate_repository("owner/one", [], judged, Prices(), known=1).cost_microusd.expected > 0
    assert estimate_repository("owner/one", [], judged, Prices()).calls == Range()
