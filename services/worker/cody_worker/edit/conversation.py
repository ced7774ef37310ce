"""Talk with Claude about one file, as one view shows it, until there is an outcome."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.errors import JobFailed
from cody_jobs.models import Failure, FailureCode
from cody_jobs.outcomes import CallUsage, Edited, GaveUp, LeftAlone, Reported, Seen, ThreadMessage
from cody_worker.claude import (
    Claude,
    ClaudeFailed,
    ClaudeReply,
    ClaudeRequest,
    NoMoreAnswers,
    PromptTooLong,
    StopReason,
)
from cody_worker.claude.edit_protocol import ShownFile, follow_up, opening, said
from cody_worker.claude.edit_tools import tools_for
from cody_worker.claude.problem import Problem, unusable
from cody_worker.claude.read_reply import Looks, Refused, Said, read_reply, tool_uses
from cody_worker.edit.change import Changed, change_of
from cody_worker.edit.look_around import Lookable, LookAround
from cody_worker.edit.pin_edits import has_mark, pin_edits
from cody_worker.edit.question import FileQuestion
from cody_worker.windows import View

_STEPS = 10
_SECONDS = 900
"""That Claude has worked on one view; waiting for limits does not count."""


class TooLarge(Struct, frozen=True, kw_only=True):
    """The view does not fit the model's context; `failure` is the file's where it cannot be cut."""

    failure: GaveUp


Settled = Changed | LeftAlone | Reported | GaveUp | TooLarge


class Told(Struct, frozen=True, kw_only=True):
    """What has been said about the file before, among others: `notes` and what was `seen` come of it."""

    messages: tuple[ThreadMessage, ...] = ()
    notes: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()


class Conversation:
    """`calls` and `messages` say, at any time, what has been paid for and said."""

    def __init__(
        self, claude: Claude, question: FileQuestion, view: View, *, repository: Lookable | None, told: Told
    ) -> None:
        notes = (*((question.note,) if question.note else ()), *told.notes)
        shown = ShownFile(path=question.path, view=view, notes=notes)
        self.calls: list[CallUsage] = []
        self.messages = opening(question.task, [shown])
        self._claude = claude
        self._question = question
        self._view = view
        self._repository = repository
        self._around = LookAround(repository, told.seen)
        self._limit = claude.max_output_tokens
        self._doubled = False
        self._problems: list[Problem] = []
        self._actions: set[tuple[tuple[str, bytes], ...]] = set()

    async def settle(self) -> Settled:
        for _ in range(_STEPS):
            reply = await self._ask()
            if not isinstance(reply, ClaudeReply):
                return reply
            settled = await self._read(reply)
            if settled is not None:
                return settled
            if sum(call.latency_ms for call in self.calls) > _SECONDS * 1_000:
                return _stuck(f"Claude has worked on this file for more than {_SECONDS} s without an end")
        return _stuck(f"there was no end after {_STEPS} replies")

    async def _read(self, reply: ClaudeReply) -> Settled | None:
        """None: the conversation goes on."""
        action = tuple((use.name, bytes(use.input)) for use in tool_uses(reply))
        repeated, _ = action in self._actions and bool(action), self._actions.add(action)
        found = read_reply(reply, [self._question.path], self._question.job_type)[self._question.path]
        if isinstance(found, Looks):
            return await self._look(reply, found, repeated=repeated)
        settled = await judge(self._question, self._view, found, self._repository)
        if isinstance(settled, Problem):
            return self._object(reply, settled, repeated=repeated)
        self.messages += said(reply)
        return settled if isinstance(settled, GaveUp) else with_seen(settled, self._around)

    async def _look(self, reply: ClaudeReply, looks: Looks, *, repeated: bool) -> GaveUp | None:
        if repeated:
            self.messages += said(reply)
            return _stuck("Claude asked to see the same again")
        results: dict[str, str] = {}
        for look in looks.wanted:
            results[look.use_id], self._view = await self._around.answer(look, self._view)
        self.messages += follow_up(reply, "", results)
        return None

    def _object(self, reply: ClaudeReply, problem: Problem, *, repeated: bool) -> GaveUp | None:
        self.messages += follow_up(reply, problem.told)
        self._problems.append(problem)
        alike = sum(1 for other in self._problems if other.tries == problem.tries)
        if repeated:
            return _gave_up(problem.code, f"Claude gave the same answer twice: {problem.message}", retryable=True)
        if alike >= problem.tries or len(self._problems) > max(other.tries for other in self._problems):
            return _gave_up(problem.code, f"after {len(self._problems)} tries: {problem.message}", retryable=True)
        return None

    async def _ask(self) -> ClaudeReply | GaveUp | TooLarge:
        """A reply that is whole. One that was cut off by the token limit is asked for once more, with room."""
        while True:
            reply = await self._ask_once()
            if not isinstance(reply, ClaudeReply):
                return reply
            self.calls += reply.calls
            if reply.stop is StopReason.REFUSAL:
                self.messages += said(reply)
                return _gave_up(FailureCode.CLAUDE_REFUSED, "Claude declined to work on this file", retryable=False)
            if reply.stop is StopReason.CONTEXT_FULL:
                return TooLarge(failure=_cut_off("the model's context"))
            if reply.stop is not StopReason.MAX_TOKENS:
                return reply
            if self._doubled:
                return TooLarge(failure=_cut_off(f"{self._limit} output tokens"))
            self._doubled, self._limit = True, self._limit * 2

    async def _ask_once(self) -> ClaudeReply | GaveUp | TooLarge:
        try:
            return await self._claude.ask(request(self._question, self.messages, self._limit))
        except NoMoreAnswers as error:
            error.calls = (*self.calls, *error.calls)
            raise
        except JobFailed as error:
            self.calls += error.calls if isinstance(error, ClaudeFailed) else ()
            failure = _gave_up(FailureCode(error.code), error.message, retryable=error.retryable)
            return TooLarge(failure=failure) if isinstance(error, PromptTooLong) else failure


def request(question: FileQuestion, messages: Sequence[ThreadMessage], limit: int) -> ClaudeRequest:
    return ClaudeRequest(
        model=question.model,
        messages=tuple(messages),
        tools=tools_for(question.job_type),
        max_output_tokens=limit,
        parallel_calls=True,
    )


async def judge(
    question: FileQuestion, view: View, found: Said, repository: Lookable | None
) -> Changed | LeftAlone | Reported | GaveUp | Problem:
    match found:
        case Edited():
            # Searching and parsing a large file takes a while, and the worker's leases have to be kept meanwhile.
            changed = await asyncio.to_thread(_change, question, view, found)
            return changed if isinstance(changed, Problem) else await _check_free(changed, repository)
        case Refused(reason=reason):
            return _gave_up(FailureCode.CLAUDE_REFUSED, f"Claude declined: {reason}", retryable=False)
        case Looks():
            raise AssertionError("a look is no answer")
        case _:
            return found


def _change(question: FileQuestion, view: View, found: Edited) -> Changed | Problem:
    edits = pin_edits(view, found.edits)
    if has_mark(view, edits):
        message = "a mark of lines that were left out is in an old or a new text, and not in the other one"
        return unusable(message, "Leave marks out, or keep each of them where it is.")
    return change_of(question, replace(found, edits=edits))


async def _check_free(changed: Changed, repository: Lookable | None) -> Changed | Problem:
    """A new file must not take the place of another one, which Claude may not even know."""
    for stage in changed.stages:
        if stage.before is not None or repository is None:
            continue
        there = await repository.read_other(stage.path, staged=True)
        if there is not None and there != stage.content:
            message = f"there is a file {stage.path!r} already"
            return Problem(
                code=FailureCode.EDIT_NOT_APPLICABLE, message=message, advice="Choose another path, or do without."
            )
    return changed


def with_seen(
    settled: Changed | LeftAlone | Reported | TooLarge, around: LookAround
) -> Changed | LeftAlone | Reported | TooLarge:
    seen = tuple(around.seen)
    if not seen or isinstance(settled, TooLarge):
        return settled
    if isinstance(settled, Changed):
        return replace(settled, outcome=replace(settled.outcome, seen=seen))
    return replace(settled, seen=seen)


def _stuck(message: str) -> GaveUp:
    return _gave_up(FailureCode.CONVERSATION_STUCK, message, retryable=True)


def _cut_off(limit: str) -> GaveUp:
    message = f"Claude's reply was cut off at {limit} and was not applied"
    return _gave_up(FailureCode.CLAUDE_REPLY_CUT_OFF, message, retryable=False)


def _gave_up(code: FailureCode, message: str, *, retryable: bool) -> GaveUp:
    return GaveUp(failure=Failure(code=code, message=message, retryable=retryable))
