"""What a prompt would count is asked of the real SDK's endpoint; where it cannot be told, nothing fails."""

import pytest

from cody_stand_ins.claude import ClaudeStandIn
from cody_worker.claude import Claude
from cody_worker.claude.count_tokens import token_counter
from cody_worker.money.prompt_size import prompt_bytes
from tests.support.claude_requests import file_request
from tests.unit.cody_worker.claude.conftest import OpenClaude

REQUEST = file_request("a.py", 4_000)


async def test_a_prompt_is_counted_as_it_would_be_sent_and_nothing_is_asked(
    claude: Claude, stand_in: ClaudeStandIn
) -> None:
    count = token_counter(claude)
    assert count is not None
    tokens = await count(REQUEST)
    assert tokens is not None
    assert abs(tokens - prompt_bytes(REQUEST) / 4) < 0.1 * tokens  # the stand-in's own measure
    assert (await stand_in.stats()).messages == 0


@pytest.mark.parametrize(
    "changes", [{"claude_api_key": "wrong"}, {"claude_base_url": "http://127.0.0.1:9"}], ids=["refused", "unreachable"]
)
async def test_where_it_cannot_be_told_there_is_no_number(claude_with: OpenClaude, changes: dict[str, object]) -> None:
    async with claude_with(**changes) as claude:
        count = token_counter(claude)
        assert count is not None
        assert await count(REQUEST) is None
