"""What a call costs, in millionths of a US dollar.

Source: Anthropic's price list, platform.claude.com/docs/en/about-claude/pricing, as of October 2026 (global endpoint,
standard tier, cache writes for five minutes).
"""

import re
from collections.abc import Mapping

from msgspec import Struct


class Price(Struct, frozen=True):
    """Millionths of a dollar for a million tokens. A prompt above `long_from` tokens, caches included, is charged by
    `long` instead, output too."""

    input: int
    cache_write: int
    cache_read: int
    output: int
    long_from: int | None = None
    long: "Price | None" = None


class TokenCounts(Struct, frozen=True, kw_only=True):
    """As the Messages API counts them: `input` are the tokens that no cache had a part in."""

    input: int
    cache_creation: int
    cache_read: int
    output: int

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


def known_price(model: str) -> Price | None:
    """By model id; a date at its end and a platform's prefix (`us.anthropic.`) do not matter."""
    return _PRICES.get(_DATE.sub("", _PLATFORM.sub("", model)))


def cost_microusd(model: str, tokens: TokenCounts) -> int:
    """Rounded up to the next millionth of a dollar."""
    price = known_price(model) or _UNKNOWN
    if price.long is not None and price.long_from is not None and tokens.prompt > price.long_from:
        price = price.long
    total = (
        tokens.input * price.input
        + tokens.cache_creation * price.cache_write
        + tokens.cache_read * price.cache_read
        + tokens.output * price.output
    )
    return -(-total // 1_000_000)
