"""How Claude is reached."""

from typing import Annotated

from msgspec import Meta, Struct


class ClaudeSettings(Struct, frozen=True, kw_only=True):
    claude_api_key: Annotated[
        str | None,
        Meta(
            description="Key of the Anthropic API; only workers need it.",
            extra={"names": ("CLAUDE_API_KEY", "ANTHROPIC_API_KEY"), "secret": True},
        ),
    ] = None
    claude_base_url: Annotated[
        str,
        Meta(
            description="Where the Messages API is, without /v1: a gateway, or a stand-in.",
            extra={"names": ("CLAUDE_BASE_URL", "ANTHROPIC_BASE_URL")},
        ),
    ] = "https://api.anthropic.com"
    claude_model: Annotated[str, Meta(description="Model of jobs that name none.")] = "claude-sonnet-5-5"
    claude_max_output_tokens: Annotated[
        int,
        Meta(
            ge=1_024, le=64_000, description="Output tokens of one reply, thinking included; doubled once if cut off."
        ),
    ] = 32_000
    claude_patience: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds that overload, lost connections and limits are waited out while nobody is answered.",
        ),
    ] = 900.0
    claude_silence: Annotated[
        float, Meta(gt=0, description="Seconds without a byte from Claude after which a call counts as lost.")
    ] = 120.0
    claude_requests_per_minute: Annotated[
        int | None,
        Meta(ge=1, description="Of all workers together, per model; unset: what the account's limits allow."),
    ] = None
    claude_input_tokens_per_minute: Annotated[
        int | None, Meta(ge=1, description="The same for input tokens that do not come from Claude's cache.")
    ] = None
    claude_output_tokens_per_minute: Annotated[int | None, Meta(ge=1, description="The same for output tokens.")] = None
    claude_prices: Annotated[
        str | None,
        Meta(
            description="Prices of models in US dollars for a million tokens, as JSON, where the list has none or "
            'others: {"model": {"input": 3, "output": 15}}; also `cacheWrite`, `cacheRead`.'
        ),
    ] = None
