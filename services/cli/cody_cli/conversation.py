"""A conversation with Claude as text: the Messages API's blocks, one below the other."""

import msgspec
from msgspec import Raw, Struct
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from cody_jobs.outcomes import ClaudeThread

_STYLES = {"system": "dim", "user": "cyan", "assistant": "green"}


class Block(Struct, frozen=True, kw_only=True):
    """What is shown of a content block; a kind that is not known is shown as its JSON."""

    type: str
    text: str | None = None
    thinking: str | None = None
    name: str | None = None
    input: Raw = Raw(b"null")
    content: Raw = Raw(b'""')


def print_thread(thread: ClaudeThread, console: Console) -> None:
    console.print(Rule(Text.assemble((thread.path, "bold"), f" ({thread.model})"), align="left", style="dim"))
    for message in thread.messages:
        console.print(Text(f"{message.role}:", style=f"bold {_STYLES[message.role]}"))
        console.print(f"{content_text(message.content)}\n", soft_wrap=True)


def content_text(content: Raw) -> str:
    """A string, or a list of blocks."""
    value = msgspec.json.decode(content, type=str | list[Raw])
    if isinstance(value, str):
        return value
    return "\n".join(_block_text(raw) for raw in value)


def _block_text(raw: Raw) -> str:
    try:
        block = msgspec.json.decode(raw, type=Block)
    except msgspec.ValidationError:
        return bytes(raw).decode()
    match block.type:
        case "text":
            return block.text or ""
        case "thinking":
            return f"[thinking] {block.thinking or ''}"
        case "tool_use":
            return f"[{block.name}] {_indented(block.input)}"
        case "tool_result":
            return f"[result] {content_text(block.content)}"
        case _:
            return bytes(raw).decode()


def _indented(value: Raw) -> str:
    return msgspec.json.format(bytes(value), indent=2).decode()
