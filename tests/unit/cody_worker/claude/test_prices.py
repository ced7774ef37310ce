"""Money is exact: integers, rounded up, and never zero for a model that we do not know."""

import anthropic.types
import pytest

from cody_jobs.errors import SettingsError
from cody_worker.claude.prices import Price, Prices, TokenCounts, cost_microusd, known_price, read_prices

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


def test_in_a_batch_everything_costs_half() -> None:
    tokens = _tokens(input=_MILLION, output=_MILLION, cache_creation=_MILLION, cache_read=_MILLION)
    assert Prices().cost("claude-sonnet-5-5", tokens, batch=True) * 2 == cost_microusd("claude-sonnet-5-5", tokens)
    assert Prices().cost("claude-sonnet-5-5", _tokens(cache_read=1), batch=True) == 1


def test_what_stays_in_the_cache_for_an_hour_costs_twice_the_input() -> None:
    tokens = TokenCounts(input=0, cache_creation=_MILLION, cache_creation_hour=400_000, cache_read=0, output=0)
    assert Prices().cost("claude-sonnet-5-5", tokens) == 600_000 * 2.5 + 400_000 * 4


def test_prices_of_ones_own_come_first_and_complete_themselves() -> None:
    prices = read_prices(
        '{"claude-next-9": {"input": 3, "output": 15}, "claude-sonnet-5-5": {"input": 1, "output": 2}}'
    )
    assert prices.known("claude-next-9-20270101") == Price(3_000_000, 3_750_000, 300_000, 15_000_000)
    assert prices.cost("claude-sonnet-5-5", _tokens(input=_MILLION, output=_MILLION)) == 3_000_000
    assert prices.known("claude-haiku-4-5") == known_price("claude-haiku-4-5")
    assert read_prices("").known("claude-next-9") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"m": {"input": 3}}', '{"m": {"input": -1, "output": 1}}', '{"m": 3}'])
def test_prices_that_are_none_name_their_variable(text: str) -> None:
    with pytest.raises(SettingsError, match="CLAUDE_PRICES"):
        read_prices(text)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-next-9"])
def test_no_call_costs_more_than_the_most_it_can(model: str, *, batch: bool) -> None:
    prices = Prices()
    for prompt, output in ((0, 0), (1, 1), (99_999, 7), (100_000, 300), (100_001, 300), (900_000, 64_000)):
        most = prices.most(model, prompt_tokens=prompt, output_tokens=output, batch=batch)
        hour = prompt if batch else 0
        parts = (
            _tokens(input=prompt, output=output),
            _tokens(cache_read=prompt, output=output),
            TokenCounts(input=0, cache_creation=prompt, cache_creation_hour=hour, cache_read=0, output=output),
        )
        assert max(prices.cost(model, tokens, batch=batch) for tokens in parts) == most
        affordable = prices.output_tokens(model, prompt_tokens=prompt, microusd=most, batch=batch)
        assert affordable >= output
        assert prices.most(model, prompt_tokens=prompt, output_tokens=affordable, batch=batch) <= most
        assert prices.output_tokens(model, prompt_tokens=prompt + 1, microusd=0, batch=batch) < 0
