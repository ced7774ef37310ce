"""What the stand-in answers: an assistant's content blocks and why it stopped, well or badly."""

import re
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from cody_stand_ins.claude.conversation import Asked
from cody_stand_ins.claude.faults import FaultKind
from cody_stand_ins.claude.migrations import FindRewrite, UnknownMigration, find_migration, minimal_edits
from cody_stand_ins.claude.plan_replies import plan_for

_NOT_IN_ANY_FILE = "a text that is in no file \u2063 of anybody"


class Reply(Struct, frozen=True, kw_only=True):
    """`blocks` are content blocks as JSON values; a tool's `input` may be text, which is then sent as it is."""

    blocks: list[dict[str, Any]]
    stop: str


def good_reply(asked: Asked, number: int, find: FindRewrite = find_migration) -> Reply:
    """The migration of the task, applied to the file. `number` makes the tool call's id, `find` knows migrations."""
    if asked.for_plan:
        return Reply(blocks=[tool_use(number, "make_plan", plan_for(asked.task))], stop="tool_use")
    if asked.for_verdict:
        verdict: dict[str, object] = {"meets": True, "reason": "The stand-in approves of every diff.", "doubts": []}
        return Reply(blocks=[tool_use(number, "give_verdict", verdict)], stop="tool_use")
    if asked.path is None or asked.text is None:
        return Reply(blocks=[_text("This stand-in only answers questions about one file.")], stop="end_turn")
    try:
        after = find(asked.task, asked.path)(asked.text)
    except UnknownMigration:
        return leave(number, "The stand-in does not know this migration; only a real model can do it.")
    if after == asked.text:
        return leave(number, "Nothing in this file matches the task.")
    return edit(number, minimal_edits(asked.text, after))


def bad_reply(kind: FaultKind, asked: Asked, number: int, find: FindRewrite = find_migration) -> Reply:
    """For every fault that is an answer of a wrong form."""
    good = good_reply(asked, number, find)
    match kind:
        case FaultKind.CUT_OFF | FaultKind.CONTEXT_FULL:
            reason = "max_tokens" if kind is FaultKind.CUT_OFF else "model_context_window_exceeded"
            return Reply(blocks=[_cut(block) for block in good.blocks], stop=reason)
        case FaultKind.REFUSAL:
            return Reply(blocks=[], stop="refusal")
        case FaultKind.EMPTY:
            return Reply(blocks=[], stop="end_turn")
        case FaultKind.TEXT_ONLY:
            return Reply(blocks=[_text("I have changed the file as you asked.")], stop="end_turn")
        case FaultKind.TWO_TOOLS:
            second = {**good.blocks[0], "id": f"{good.blocks[0].get('id')}b"}
            return Reply(blocks=[good.blocks[0], second], stop="tool_use")
        case _:
            return _bad_use(kind, asked, number, good)


def _bad_use(kind: FaultKind, asked: Asked, number: int, good: Reply) -> Reply:
    match kind:
        case FaultKind.NOT_JSON:
            return Reply(blocks=[tool_use(number, "edit_file", '{"edits": [}')], stop="tool_use")
        case FaultKind.WRONG_INPUT:
            return Reply(blocks=[tool_use(number, "edit_file", {"edits": "all of them"})], stop="tool_use")
        case FaultKind.UNKNOWN_TOOL:
            return Reply(blocks=[tool_use(number, "run_shell", {"command": "true"})], stop="tool_use")
        case FaultKind.WRONG_MATCH:
            return edit(number, [(f"{_NOT_IN_ANY_FILE}", "x")])
        case FaultKind.AMBIGUOUS_MATCH:
            return edit(number, [(_ambiguous(asked.text or ""), "x")])
        case FaultKind.NO_CHANGE:
            line = max((asked.text or "").split("\n"), key=len)
            return edit(number, [(line, line)])
        case FaultKind.BROKEN_SYNTAX:
            return edit(number, [(asked.text or "", "def broken(:\n")])
        case _:
            return good


def edit(number: int, edits: list[tuple[str, str]]) -> Reply:
    given = {"edits": [{"old_text": old, "new_text": new} for old, new in edits]}
    return Reply(blocks=[tool_use(number, "edit_file", given)], stop="tool_use")


def leave(number: int, reason: str) -> Reply:
    return Reply(blocks=[tool_use(number, "leave_unchanged", {"reason": reason})], stop="tool_use")


def together(parts: Sequence[tuple[Asked, Reply]]) -> Reply:
    """One reply about several files: every call says which one it is about."""
    if len(parts) == 1:
        return parts[0][1]
    blocks = [_about(asked, block, number) for number, (asked, reply) in enumerate(parts) for block in reply.blocks]
    bad_stop = next((reply.stop for _, reply in parts if reply.stop not in {"tool_use", "end_turn"}), None)
    calls = any(block["type"] == "tool_use" for block in blocks)
    return Reply(blocks=blocks, stop=bad_stop or ("tool_use" if calls else "end_turn"))


def _about(asked: Asked, block: dict[str, Any], number: int) -> dict[str, Any]:
    if block["type"] != "tool_use":
        return block
    given = cast("object", block["input"])
    if isinstance(given, dict):
        named: dict[str, Any] = {"for_path": asked.path} if block["name"] == "create_file" else {"path": asked.path}
        given = named | cast("dict[str, Any]", given)
    return {**block, "id": f"{block['id']}_{number}", "input": given}


def _ambiguous(text: str) -> str:
    """A character that the file has twice."""
    repeated = re.search(r"([^\n])(?=.*\1)", text, re.S)
    return repeated[1] if repeated else _NOT_IN_ANY_FILE


def tool_use(number: int, name: str, given: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_stand_in_{number:08d}", "name": name, "input": given}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _cut(block: dict[str, Any]) -> dict[str, Any]:
    """The block as it is when the tokens run out in its middle."""
    if block["type"] == "text":
        return {**block, "text": block["text"][:10]}
    given = msgspec.json.encode(block["input"]).decode()
    return {**block, "input": given[: len(given) // 2]}
