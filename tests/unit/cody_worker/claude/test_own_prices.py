"""Prices of an operator's own are what calls cost."""

import pytest

from cody_jobs.errors import SettingsError
from cody_worker.claude import ClaudeRequest
from tests.unit.cody_worker.claude.conftest import OpenClaude


async def test_a_call_costs_what_the_operator_says(
    claude_with: OpenClaude, request_about_a_file: ClaudeRequest
) -> None:
    dear = '{"claude-sonnet-5-5": {"input": 2000, "output": 10000}}'
    async with claude_with() as claude:
        listed = (await claude.ask(request_about_a_file)).calls[0]
    async with claude_with(claude_prices=dear) as claude:
        (call,) = (await claude.ask(request_about_a_file)).calls
    assert call.output_tokens == listed.output_tokens
    assert call.cost_microusd >= 10_000 * call.output_tokens


async def test_prices_that_are_none_stop_the_start(claude_with: OpenClaude) -> None:
    with pytest.raises(SettingsError, match="CLAUDE_PRICES"):
        async with claude_with(claude_prices="cheap"):
            pass
