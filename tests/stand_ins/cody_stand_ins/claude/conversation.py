"""Read a request to /v1/messages: what is asked about which file, and how many tokens that might be."""

import hashlib
import re
from typing import Any, cast

import msgspec
from msgspec import Struct

_FILE = re.compile(
    r"\A<(?P<tag>file-[0-9a-f]{12}) path=(?P<path>\"(?:[^\"\\]|\\.)*\")>\n(?P<text>.*)\n</(?P=tag)>\Z", re.S
)
_CHARACTERS_PER_TOKEN = 4
_SMALLEST_CACHED_PREFIX = 512


class MessagesRequest(Struct, frozen=True, kw_only=True):
    """The parts of a request that the stand-in looks at. Content is a string or a list of blocks."""

    model: str
    max_tokens: int
    messages: list[dict[str, Any]]
    system: Any = None
    tools: list[dict[str, Any]] = []
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    stream: bool = False


class Asked(Struct, frozen=True, kw_only=True):
    """`task` is all text of the first user message but the files; `path` and `text` are None where there is no file.
    `text` may have marks in the place of lines that are not shown. `for_plan`,
    `for_verdict`: there is a tool to make a plan, or to judge a diff."""

    task: str
    path: str | None
    text: str | None
    content: str
    for_plan: bool = False
    for_verdict: bool = False


def read_questions(request: MessagesRequest) -> list[Asked]:
    """One for each file that is asked about, and one where there is none."""
    blocks = _texts(request.messages[0].get("content"))
    found = [match for block in blocks if (match := _FILE.match(block)) is not None]
    files = {match.string for match in found}
    task = "\n".join(block for block in blocks if block not in files)
    digest = hashlib.sha256("\0".join([request.model, *blocks]).encode("utf-8", "surrogatepass")).hexdigest()
    if not found:
        tools = {tool.get("name") for tool in request.tools}
        for_plan, for_verdict = "make_plan" in tools, "give_verdict" in tools
        return [Asked(task=task, path=None, text=None, content=digest, for_plan=for_plan, for_verdict=for_verdict)]
    return [
        Asked(task=task, path=msgspec.json.decode(match["path"], type=str), text=match["text"], content=digest)
        for match in found
    ]


def read_question(request: MessagesRequest) -> Asked:
    """The only one, or the first of several."""
    return read_questions(request)[0]


def blocks_of(content: object) -> list[dict[str, Any]]:
    """A message's content as blocks; a string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    blocks = cast("list[object]", content) if isinstance(content, list) else []
    return [cast("dict[str, Any]", block) for block in blocks if isinstance(block, dict)]


def _texts(content: object) -> list[str]:
    return [str(block["text"]) for block in blocks_of(content) if "text" in block]


class TokenUse(Struct, frozen=True, kw_only=True):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int


class PromptCache:
    """Counts tokens (a quarter of the bytes), and remembers what was sent before a cache breakpoint."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def count(self, request: MessagesRequest) -> TokenUse:
        parts = [request.tools, request.system, *(message.get("content") for message in request.messages)]
        total = sum(len(msgspec.json.encode(part)) for part in parts) // _CHARACTERS_PER_TOKEN
        prefix = self._prefix(request)
        cached = min(total, len(prefix) // _CHARACTERS_PER_TOKEN)
        if cached < _SMALLEST_CACHED_PREFIX:
            return TokenUse(input_tokens=total, cache_creation_input_tokens=0, cache_read_input_tokens=0)
        read = cached if hashlib.sha256(prefix).digest() in self._known else 0
        return TokenUse(
            input_tokens=total - cached, cache_creation_input_tokens=cached - read, cache_read_input_tokens=read
        )

    def remember(self, request: MessagesRequest) -> None:
        """It begins to be answered: from now on, what is before its breakpoint can be read from the cache."""
        self._known.add(hashlib.sha256(self._prefix(request)).digest())

    def _prefix(self, request: MessagesRequest) -> bytes:
        """Everything up to the first breakpoint of the first user message, model included."""
        blocks = blocks_of(request.messages[0].get("content"))
        marked = [number for number, block in enumerate(blocks) if "cache_control" in block]
        if not marked:
            return b""
        return msgspec.json.encode([request.model, request.tools, request.system, blocks[: marked[0] + 1]])
