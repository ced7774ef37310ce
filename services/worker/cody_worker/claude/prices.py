"""What a call costs, in millionths of a US dollar.

Source: Anthropic's price list, platform.claude.com/docs/en/about-claude/pricing, as of October 2026 (global endpoint,
standard tier; a batch costs half).
"""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cody_jobs.errors import SettingsError


class Price(Struct, frozen=True):
    """Millionths of a dollar for a million tokens. A prompt above `long_from` tokens, caches included, is charged by
    `long` instead, output too."""

    input: int
    cache_write: int
    cache_read: int
    output: int
    long_from: int | None = None
    long: "Price | None" = None

    @property
    def cache_write_hour(self) -> int:
        """What is to stay in the cache for an hour costs twice the input's price."""
        return 2 * self.input

    def of_prompt(self, tokens: int) -> "Price":
        """The price of all that belongs to a prompt of so many tokens."""
        return self.long if self.long is not None and self.long_from is not None and tokens > self.long_from else self


class TokenCounts(Struct, frozen=True, kw_only=True):
    """As the Messages API counts them: `input` are the tokens that no cache had a part in. `cache_creation_hour` are
    those of `cache_creation` that stay for an hour."""

    input: int
    cache_creation: int
    cache_read: int
    output: int
    cache_creation_hour: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_creation + self.cache_read


_FABLE = Price(10_000_000, 12_500_000, 1_000_000, 50_000_000)
_FABLE_5_1 = Price(10_000_000, 12_500_000, 250_000, 50_000_000)
_OPUS = Price(5_000_000, 6_250_000, 500_000, 25_000_000)
_SONNET_4 = Price(3_000_000, 3_750_000, 300_000, 15_000_000)
_PRICES: Mapping[str, Price] = {
    "claude-fable-5": _FABLE,
    "claude-fable-5-1": _FABLE_5_1,
    "claude-mythos-5": _FABLE,
    "claude-mythos-5-1": _FABLE_5_1,
    "claude-opus-5-5": Price(4_000_000, 5_000_000, 200_000, 20_000_000),
    "claude-opus-5": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-5": _OPUS,
    "claude-sonnet-5-5": Price(2_000_000, 2_500_000, 100_000, 10_000_000),
    "claude-sonnet-5": Price(2_000_000, 2_500_000, 200_000, 10_000_000),
    "claude-sonnet-4-6": _SONNET_4,
    "claude-sonnet-4-5": _SONNET_4,
    "claude-haiku-5-5": Price(
        100_000, 125_000, 10_000, 500_000, long_from=100_000, long=Price(500_000, 625_000, 50_000, 2_500_000)
    ),
    "claude-haiku-4-5": Price(1_000_000, 1_250_000, 100_000, 5_000_000),
}
_UNKNOWN = _FABLE
"""A model without a price counts as the dearest one: a cap on spending must never come too late."""

_DATE = re.compile(r"[-@]\d{8}(-v\d+(:\d+)?)?$")
_PLATFORM = re.compile(r"^(?:[a-z]+\.)?anthropic\.")


class OwnPrice(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """US dollars for a million tokens, as price lists have them. What is left out follows from `input`."""

    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]
    cache_write: Annotated[float, Meta(ge=0)] | None = None
    cache_read: Annotated[float, Meta(ge=0)] | None = None

    def price(self) -> Price:
        write = 1.25 * self.input if self.cache_write is None else self.cache_write
        read = 0.1 * self.input if self.cache_read is None else self.cache_read
        return Price(_micro(self.input), _micro(write), _micro(read), _micro(self.output))


class Prices:
    """The price list, with prices of an operator's own, which come first."""

    def __init__(self, own: Mapping[str, OwnPrice] | None = None) -> None:
        self._own = {_plain(model): price.price() for model, price in (own or {}).items()}

    def known(self, model: str) -> Price | None:
        """By model id; a date at its end and a platform's prefix (`us.anthropic.`) do not matter."""
        return self._own.get(_plain(model)) or _PRICES.get(_plain(model))

    def cost(self, model: str, tokens: TokenCounts, *, batch: bool = False) -> int:
        """Rounded up to the next millionth of a dollar. A call in a batch costs half."""
        price = self._price(model).of_prompt(tokens.prompt)
        total = (
            tokens.input * price.input
            + (tokens.cache_creation - tokens.cache_creation_hour) * price.cache_write
            + tokens.cache_creation_hour * price.cache_write_hour
            + tokens.cache_read * price.cache_read
            + tokens.output * price.output
        )
        return _rounded_up(total, batch=batch)

    def most(self, model: str, *, prompt_tokens: int, output_tokens: int, batch: bool = False) -> int:
        """The most that a call can cost whose prompt has at most so many tokens, whatever a cache makes of it. In a
        batch, caches are kept for an hour."""
        prompt, output = self._dearest(model, prompt_tokens, batch=batch)
        return _rounded_up(prompt + output_tokens * output, batch=batch)

    def output_tokens(self, model: str, *, prompt_tokens: int, microusd: int, batch: bool = False) -> int:
        """How many output tokens can be paid for, beside a prompt of at most so many tokens. Less than none where not
        even that one can."""
        prompt, output = self._dearest(model, prompt_tokens, batch=batch)
        return (microusd * _unit(batch=batch) - prompt) // max(1, output)

    def _dearest(self, model: str, prompt_tokens: int, *, batch: bool) -> tuple[int, int]:
        """What the prompt costs at most, and each output token, in units of `_unit`."""
        price = self._price(model).of_prompt(prompt_tokens)
        write = price.cache_write_hour if batch else price.cache_write
        return prompt_tokens * max(price.input, write, price.cache_read), price.output

    def _price(self, model: str) -> Price:
        return self.known(model) or _UNKNOWN


def read_prices(text: str) -> Prices:
    """From JSON: `{"model": {"input": 3, "output": 15}}`. Raises `SettingsError` that names `CLAUDE_PRICES`."""
    try:
        return Prices(msgspec.json.decode(text or "{}", type=dict[str, OwnPrice]))
    except msgspec.DecodeError as error:
        example = '{"claude-next-9": {"input": 3, "output": 15}}'
        raise SettingsError(f"CLAUDE_PRICES: {error}. It is JSON with US dollars, like {example}") from error


_LIST = Prices()


def known_price(model: str) -> Price | None:
    """The price list's own."""
    return _LIST.known(model)


def cost_microusd(model: str, tokens: TokenCounts) -> int:
    """By the price list."""
    return _LIST.cost(model, tokens)


def _plain(model: str) -> str:
    return _DATE.sub("", _PLATFORM.sub("", model))


def _micro(dollars: float) -> int:
    return round(dollars * 1_000_000)


def _rounded_up(total: int, *, batch: bool) -> int:
    return -(-total // _unit(batch=batch))


def _unit(*, batch: bool) -> int:
    """So many make a millionth of a dollar: prices are for a million tokens."""
    return 2_000_000 if batch else 1_000_000
