"""Bad answers can be switched on, and are the same again for a seed and a file."""

from typing import Any

import httpx
import msgspec
import pytest

from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind
from cody_stand_ins.claude.conversation import Asked
from cody_stand_ins.claude.misbehave import MISBEHAVIOURS, bad_reply
from cody_stand_ins.claude.replies import good_reply

_TASK = 'Replace "old" with "new"'
_TEXT = "import json\n\nold = 1\n" + "".join(
    f"\n\ndef test_{number}():\n    x = old + {number}\n    assert x == 'one', \"not one\"\n" for number in range(8)
)


@pytest.mark.parametrize("kind", MISBEHAVIOURS)
def test_a_bad_answer_is_not_the_good_one(kind: FaultKind) -> None:
    good = good_reply(asked("requirements.txt"), 1)
    bad = [bad_reply(kind, asked("requirements.txt"), 1, seed=seed) for seed in range(20)]
    assert all(reply.blocks for reply in bad)
    assert [reply for reply in bad if reply == good] == []


@pytest.mark.parametrize("kind", MISBEHAVIOURS)
def test_a_bad_answer_is_the_same_again(kind: FaultKind) -> None:
    for path in ("src/a.py", "tests/test_a.py"):
        assert bad_reply(kind, asked(path), 1, seed=3) == bad_reply(kind, asked(path), 1, seed=3)


async def test_a_bad_answer_can_be_switched_on(http: httpx.AsyncClient, stand_in: ClaudeStandIn) -> None:
    await stand_in.set_faults(Fault(kind=FaultKind.WORKFLOW_CREATED, path=r"^a\.py$"), seed=1)
    bad, good = [await uses(http, path) for path in ("a.py", "b.py")]
    assert bad != good == ["edit_file"]


def asked(path: str) -> Asked:
    return Asked(task=_TASK, path=path, text=_TEXT, content="")


async def uses(http: httpx.AsyncClient, path: str) -> list[Any]:
    """The names of the tools that are called."""
    file = f'<file-0123456789ab path="{path}">\n{_TEXT}\n</file-0123456789ab>'
    content = [{"type": "text", "text": _TASK}, {"type": "text", "text": file}]
    body = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    message = msgspec.json.decode((await http.post("/v1/messages", json=body)).content)
    return [block["name"] for block in message["content"]]
