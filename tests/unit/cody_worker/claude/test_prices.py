"""Money is exact: integers, rounded up, and never zero for a model that we do not know."""

import anthropic.types
import pytest

from cody_worker.claude.prices import TokenCounts, cost_microusd, known_price

_MILLION = 1_000_000


def _tokens(*, input: int = 0, cache_creation: int = 0, cache_read: int = 0, output: int = 0) -> TokenCounts:  # noqa: A002 (the API's own word)
    return TokenCounts(input=input, cache_creation=cache_creation, cache_read=cache_read, output=output)


@pytest.mark.parametrize(
    ("tokens", "microusd"),
    [
        (_tokens(input=_MILLION), 2_000_000),
        (_tokens(output=_MILLION), 10_000_000),
        (_tokens(cache_creation=_MILLION), 2_500_000),
        (_tokens(cache_read=_MILLION), 100_000),
        (_tokens(input=1, output=1), 12),
        (_tokens(cache_read=1), 1),
        (_tokens(), 0),
    ],
)
def test_a_call_costs_what_the_price_list_says(tokens: TokenCounts, microusd: int) -> None:
    assert cost_microusd("claude-sonnet-5-5", tokens) == microusd


def test_a_long_prompt_is_charged_at_its_own_price_with_the_cached_part_counted() -> None:
    assert cost_microusd("claude-haiku-5-5", _tokens(input=100_000, output=1_000)) == 10_500
    assert cost_microusd("claude-haiku-5-5", _tokens(input=1, cache_read=100_000, output=1_000)) == 7_501


@pytest.mark.parametrize(
    "model",
    ["claude-haiku-4-5-20251001", "anthropic.claude-haiku-4-5", "us.anthropic.claude-haiku-4-5-20251001-v1:0"],
)
def test_a_date_and_a_platform_do_not_change_the_price(model: str) -> None:
    assert known_price(model) == known_price("claude-haiku-4-5") is not None


def test_a_model_without_a_price_counts_as_the_dearest() -> None:
    tokens = _tokens(input=1_000, output=1_000, cache_creation=1_000, cache_read=1_000)
    assert known_price("claude-next-9") is None
    others = ["claude-fable-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]
    assert cost_microusd("claude-next-9", tokens) == max(cost_microusd(model, tokens) for model in others)


def test_current_models_of_the_sdk_have_a_price() -> None:
    unpriced = {"claude-fable-5-2", "claude-mythos-5-2", "claude-mythos-preview"}
    named = {str(name) for name in anthropic.types.model.Model.__args__[0].__args__}
    assert {name for name in named if known_price(name) is None} == unpriced
