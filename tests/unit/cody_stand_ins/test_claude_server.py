"""The stand-in says what it is, and behaves like the Claude API where it matters."""

import asyncio
import os
import sys
from typing import Any

import httpx
import psutil
import pytest

from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind, claude_stand_in
from cody_stand_ins.claude.faults import parse_fault
from tests.support.wait import wait_until

_FILE = '<file-0123456789ab path="a.py">\nx: Optional[int]\n</file-0123456789ab>'
_TASK = "Rewrite Optional[X] to X | None"


def _body(**changes: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": _TASK}, {"type": "text", "text": _FILE}]
    messages = [{"role": "user", "content": content}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages, **changes}


async def test_it_says_that_it_is_a_stand_in(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/messages", json=_body())
    assert response.headers["server"] == "cody-claude-stand-in"
    assert response.headers["request-id"].startswith("req_stand_in_")
    assert "stand-in" in (await http.get("/v1/models/claude-sonnet-5-5")).json()["display_name"]


async def test_a_whole_message_has_the_edit(http: httpx.AsyncClient) -> None:
    message = (await http.post("/v1/messages", json=_body())).json()
    (use,) = message["content"]
    assert use["input"] == {"edits": [{"old_text": "x: Optional[int]", "new_text": "x: int | None"}]}
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["input_tokens"] > 0


async def test_a_stream_has_the_events_of_the_messages_api(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/messages", json=_body(stream=True))
    events = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event")]
    assert events == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "stand-in-key"}, 200),
        ({"authorization": "Bearer stand-in-key"}, 200),
        ({"x-api-key": "other"}, 401),
        ({}, 401),
        ({"authorization": "Basic stand-in-key"}, 401),
    ],
)
async def test_only_its_keys_are_accepted(headers: dict[str, str], status: int, stand_in: ClaudeStandIn) -> None:
    async with httpx.AsyncClient(base_url=stand_in.url, headers=headers, trust_env=False) as client:
        response = await client.post("/v1/messages", json=_body())
    assert response.status_code == status
    if status == 401:
        assert response.json()["error"]["type"] == "authentication_error"


_TOOL_USE: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
_REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"model": "claude-1"}, 404, "not_found_error"),
    ({"tool_choice": {"type": "any"}}, 400, "invalid_request_error"),
    ({"messages": []}, 400, "invalid_request_error"),
    ({"messages": [{"role": "user", "content": []}]}, 400, "invalid_request_error"),
    ({"max_tokens": "many"}, 400, "invalid_request_error"),
    (
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [_TOOL_USE]},
                {"role": "user", "content": "and?"},
            ]
        },
        400,
        "invalid_request_error",
    ),
]


@pytest.mark.parametrize(("changes", "status", "kind"), _REFUSED)
async def test_what_the_real_api_refuses_is_refused(
    changes: dict[str, Any], status: int, kind: str, http: httpx.AsyncClient
) -> None:
    response = await http.post("/v1/messages", json=_body(**changes))
    assert (response.status_code, response.json()["type"], response.json()["error"]["type"]) == (status, "error", kind)


async def test_forced_tools_are_fine_where_the_model_allows_it(http: httpx.AsyncClient) -> None:
    body = _body(model="claude-sonnet-5", tool_choice={"type": "any"})
    assert (await http.post("/v1/messages", json=body)).status_code == 200


async def test_models_are_listed_and_tokens_counted(http: httpx.AsyncClient) -> None:
    names = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
    assert "claude-sonnet-5-5" in names
    assert (await http.get("/v1/models/claude-1")).status_code == 404
    assert (await http.post("/v1/messages/count_tokens", json=_body())).json()["input_tokens"] > 10
    assert (await http.get("/v1/nothing")).status_code == 404


async def test_questions_are_counted_by_file_and_content(http: httpx.AsyncClient, stand_in: ClaudeStandIn) -> None:
    for _ in range(3):
        await http.post("/v1/messages", json=_body())
    await http.post("/v1/messages", json=_body(model="claude-haiku-5-5"))
    stats = await stand_in.stats()
    assert (stats.messages, stats.answered, stats.by_status) == (4, 4, {"200": 4})
    assert sorted(question.count for question in stats.questions) == [1, 3]
    assert stats.asked("a.py") == 4
    await stand_in.reset()
    assert (await stand_in.stats()).messages == 0


async def test_a_fault_meets_only_the_next_requests_and_only_its_paths(
    http: httpx.AsyncClient, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(
        Fault(kind=FaultKind.OVERLOADED, times=2, path=r"\.py$", retry_after=3),
        Fault(kind=FaultKind.BAD_REQUEST, path="b"),
    )
    answers = [await http.post("/v1/messages", json=_body()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [529, 529, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].json()["error"]["type"] == "overloaded_error"


async def test_a_share_of_the_requests_fails_the_same_ones_for_a_seed(
    http: httpx.AsyncClient, stand_in: ClaudeStandIn
) -> None:
    async def statuses() -> list[int]:
        await stand_in.set_faults(Fault(kind=FaultKind.SERVER_ERROR, share=0.3), seed=5)
        return [(await http.post("/v1/messages", json=_body())).status_code for _ in range(40)]

    first = await statuses()
    assert 4 < first.count(500) < 20
    assert await statuses() == first


async def test_requests_above_the_limit_of_a_minute_are_told_when_to_come_back(
    http: httpx.AsyncClient, stand_in: ClaudeStandIn
) -> None:
    await stand_in.set_faults(requests_per_minute=2)
    answers = [await http.post("/v1/messages", json=_body()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["anthropic-ratelimit-requests-remaining"] for answer in answers] == ["1", "0", "0"]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60


async def test_a_bad_fault_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/stand-in/faults", json={"faults": [{"kind": "sulking"}]})).status_code == 400
    assert (await http.post("/stand-in/faults", content=b"{")).status_code == 400


def test_faults_can_be_named_on_the_command_line() -> None:
    assert parse_fault("429:times=3:retryAfter=0.5:path=a.b") == Fault(
        kind=FaultKind.RATE_LIMIT, times=3, retry_after=0.5, path="a.b"
    )
    assert parse_fault("wrong-match:share=0.1") == Fault(kind=FaultKind.WRONG_MATCH, share=0.1)


async def test_options_of_the_command_line_are_in_force_from_the_start() -> None:
    async with (
        claude_stand_in(key="other", options=["--fault", "503:times=1"]) as stand_in,
        httpx.AsyncClient(base_url=stand_in.url, headers={"x-api-key": "other"}, trust_env=False) as client,
    ):
        statuses = [(await client.post("/v1/messages", json=_body())).status_code for _ in range(2)]
    assert statuses == [503, 200]


async def test_it_ends_at_the_end_of_its_context() -> None:
    async with claude_stand_in() as stand_in:
        assert psutil.pid_exists(stand_in.pid)
    assert not psutil.pid_exists(stand_in.pid)


async def test_it_ends_even_with_a_request_that_hangs() -> None:
    async with claude_stand_in(options=["--fault", "silent"]) as stand_in:
        headers = {"x-api-key": stand_in.key}
        client = httpx.AsyncClient(base_url=stand_in.url, headers=headers, trust_env=False, timeout=60)
        hanging = asyncio.create_task(client.post("/v1/messages", json=_body()), name="hanging")
        await wait_until(lambda: _messages(stand_in), "the request has arrived")
    await asyncio.gather(hanging, return_exceptions=True)
    await client.aclose()
    assert not psutil.pid_exists(stand_in.pid)


async def _messages(stand_in: ClaudeStandIn) -> int:
    return (await stand_in.stats()).messages


async def test_it_ends_when_its_parent_is_killed() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from cody_stand_ins.claude import claude_stand_in\n"
        "async def main():\n"
        "    async with claude_stand_in() as stand_in:\n"
        "        print(stand_in.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await parent.wait()
    await wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", "it is gone")
