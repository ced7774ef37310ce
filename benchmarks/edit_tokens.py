"""What Claude is sent for each file that changes, and what that costs, beside each file sent whole once.

    ./dev bench edit_tokens [--files 60] [--model claude-sonnet-5-5]

The files are real ones: modules of the packages in this environment, of 100 to 400 lines, with one to five matches of a
plan. Nothing is sent anywhere: requests are built as the worker builds them, counted (four bytes are a token), and
answered by the stand-in's rules; what is before a cache breakpoint is read from the cache from the second request on.
The money is the price list's.
"""

import argparse
import asyncio
import hashlib
import sysconfig
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from benchmarks.tables import print_machine, print_table
from cody_jobs.models import JobType
from cody_jobs.outcomes import CallUsage, Edited
from cody_jobs.plan import Example, Extent, Plan
from cody_stand_ins.claude.conversation import MessagesRequest, PromptCache, read_questions
from cody_stand_ins.claude.migrations import optional_to_union
from cody_stand_ins.claude.replies import good_reply, together
from cody_worker.claude import ClaudeReply, ClaudeRequest, StopReason, ToolUse
from cody_worker.claude.prices import TokenCounts, cost_microusd
from cody_worker.edit.edit_together import Together, edit_together
from cody_worker.edit.group_files import group_files
from cody_worker.edit.question import view_of
from cody_worker.edit_file import FileAnswer, FileQuestion, edit_file
from cody_worker.file_text import read_text
from cody_worker.git.look import match_lines

PROMPT = "Rewrite Optional[X] to X | None. Leave imports as they are."
MATCHES = (r"\bOptional\[",)
PLAN = Plan(
    languages=("python",),
    matches=MATCHES,
    extent=Extent.MATCHES,
    change="Write every Optional[X] in an annotation as X | None; leave imports, strings and comments as they are.",
    example=Example(before="name: Optional[str] = None", after="name: str | None = None"),
)
LINES, PLACES = range(100, 401), range(1, 6)
_PACKAGES = Path(sysconfig.get_path("purelib"))
_CHARACTERS_PER_TOKEN = 4


class Cost(Struct, frozen=True, kw_only=True):
    """Of one way to ask, over all files. `input_tokens` has what came from the cache, too."""

    way: str
    files: int
    changed: int
    requests: int
    input_tokens: int
    output_tokens: int
    microusd: int

    @property
    def tokens_per_file(self) -> float:
        return self.input_tokens / self.changed

    @property
    def microusd_per_file(self) -> float:
        return self.microusd / self.changed


class CountingClaude:
    """Implements `Claude` with the stand-in's rules, and counts."""

    def __init__(self) -> None:
        self.usages: list[CallUsage] = []
        self._cache = PromptCache()

    @property
    def max_output_tokens(self) -> int:
        return 32_000

    async def ask(self, request: ClaudeRequest) -> ClaudeReply:
        asked = _as_sent(request)
        tokens = self._cache.count(asked)
        self._cache.remember(asked)
        number = len(self.usages) + 1
        reply = together([(question, good_reply(question, number)) for question in read_questions(asked)])
        counts = TokenCounts(
            input=tokens.input_tokens,
            cache_creation=tokens.cache_creation_input_tokens,
            cache_read=tokens.cache_read_input_tokens,
            output=len(msgspec.json.encode(reply.blocks)) // _CHARACTERS_PER_TOKEN,
        )
        usage = _usage(request.model, counts)
        self.usages.append(usage)
        return ClaudeReply(
            content=Raw(msgspec.json.encode(reply.blocks)),
            blocks=tuple(map(_tool_use, reply.blocks)),
            stop=StopReason.TOOL_USE,
            calls=(usage,),
        )


async def measure(files: Sequence[Path], model: str) -> list[Cost]:
    """The files' bytes alone, each file whole in a request of its own, windows of each alone, and as the worker does
    it: windows, several files in one request."""
    questions = [_question(path, model) for path in files]
    return [
        _bare(questions, model),
        await _cost("each file whole", questions, [(question,) for question in map(_without_plan, questions)]),
        await _cost("windows, each file alone", questions, [(question,) for question in questions]),
        await _cost("as the worker asks", questions, list(_groups(questions))),
    ]


def ordinary_files(number: int) -> list[Path]:
    """In an order that has nothing to do with their packages."""
    found = {path.read_bytes(): path for path in sorted(_PACKAGES.rglob("*.py"))}
    ranked = sorted(found.items(), key=lambda item: hashlib.sha256(item[0]).digest())
    return list(islice((path for data, path in ranked if _is_ordinary(data)), number))


def _is_ordinary(data: bytes) -> bool:
    text = read_text(data)
    if text is None or text.shown.count("\n") not in LINES or len(match_lines(text.shown, MATCHES)) not in PLACES:
        return False
    return optional_to_union(text.shown) != text.shown


def _question(path: Path, model: str) -> FileQuestion:
    data = path.read_bytes()
    text = read_text(data)
    return FileQuestion(
        path=str(path.relative_to(_PACKAGES)),
        data=data,
        prompt=PROMPT,
        job_type=JobType.CODE_PATTERN_UPDATE,
        model=model,
        plan=PLAN,
        matches=match_lines(text.shown if text is not None else "", MATCHES),
    )


def _without_plan(question: FileQuestion) -> FileQuestion:
    return msgspec.structs.replace(question, plan=None, matches=())


def _groups(questions: Sequence[FileQuestion]) -> list[tuple[FileQuestion, ...]]:
    views = [_together(question).view.characters for question in questions]
    return list(group_files(questions, views))


def _together(question: FileQuestion) -> Together:
    text = read_text(question.data)
    return Together(question=question, view=view_of(question, text.shown if text is not None else ""))


async def _cost(way: str, questions: Sequence[FileQuestion], groups: Sequence[tuple[FileQuestion, ...]]) -> Cost:
    claude = CountingClaude()
    answers = [answer for group in groups async for answer in _answers(claude, group)]
    return Cost(
        way=way,
        files=len(questions),
        changed=sum(1 for answer in answers if isinstance(answer.outcome, Edited)),
        requests=len(claude.usages),
        input_tokens=sum(map(_input, claude.usages)),
        output_tokens=sum(usage.output_tokens for usage in claude.usages),
        microusd=sum(usage.cost_microusd for usage in claude.usages),
    )


async def _answers(claude: CountingClaude, group: tuple[FileQuestion, ...]) -> AsyncGenerator[FileAnswer]:
    if len(group) == 1:
        yield await edit_file(claude, group[0])
        return
    async for _, answer in edit_together(claude, list(map(_together, group))):
        yield answer


def _bare(questions: Sequence[FileQuestion], model: str) -> Cost:
    """No request can be less: the bytes of each file, without a word about what is to be done, and no answer."""
    tokens = [len(question.data) // _CHARACTERS_PER_TOKEN for question in questions]
    counts = [TokenCounts(input=number, cache_creation=0, cache_read=0, output=0) for number in tokens]
    return Cost(
        way="the files' bytes alone",
        files=len(questions),
        changed=len(questions),
        requests=len(questions),
        input_tokens=sum(tokens),
        output_tokens=0,
        microusd=sum(cost_microusd(model, count) for count in counts),
    )


def _as_sent(request: ClaudeRequest) -> MessagesRequest:
    system = [message for message in request.messages if message.role == "system"]
    rest = [message for message in request.messages if message.role != "system"]
    return MessagesRequest(
        model=request.model,
        max_tokens=request.max_output_tokens,
        system=msgspec.json.decode(system[0].content),
        messages=[{"role": message.role, "content": msgspec.json.decode(message.content)} for message in rest],
        tools=msgspec.json.decode(request.tools),
    )


def _tool_use(block: dict[str, Any]) -> ToolUse:
    return ToolUse(id=block["id"], name=block["name"], input=Raw(msgspec.json.encode(block["input"])))


def _usage(model: str, counts: TokenCounts) -> CallUsage:
    return CallUsage(
        request_id=None,
        model=model,
        input_tokens=counts.input,
        output_tokens=counts.output,
        cache_creation_input_tokens=counts.cache_creation,
        cache_read_input_tokens=counts.cache_read,
        cost_microusd=cost_microusd(model, counts),
        latency_ms=0,
        at=datetime.now(UTC),
    )


def _input(usage: CallUsage) -> int:
    return usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--model", default="claude-sonnet-5-5")
    options = parser.parse_args()
    print_machine()
    costs = asyncio.run(measure(ordinary_files(options.files), options.model))
    print_table(
        (
            "sent",
            "files",
            "changed",
            "requests",
            "requests per changed file",
            "input tokens per changed file",
            "US cents per changed file",
        ),
        [
            (
                cost.way,
                cost.files,
                cost.changed,
                cost.requests,
                f"{cost.requests / cost.changed:.2f}",
                f"{cost.tokens_per_file:,.0f}",
                f"{cost.microusd_per_file / 10_000:.3f}",
            )
            for cost in costs
        ],
    )


if __name__ == "__main__":
    main()
