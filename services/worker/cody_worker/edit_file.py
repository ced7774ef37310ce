"""Ask Claude about one file until there is an outcome: edited, left alone, or given up."""

import asyncio
import hashlib

import msgspec
from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import Failure, FailureCode, JobType
from cody_jobs.outcomes import CallUsage, ClaudeThread, Edited, FileOutcome, GaveUp, LeftAlone
from cody_jobs.plan import Plan
from cody_worker.apply_edits import EditNotApplicable, apply_edits
from cody_worker.claude import Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, NoMoreAnswers, StopReason
from cody_worker.claude.edit_protocol import PROTOCOL_VERSION, TOOLS, Problem, follow_up, opening, read_reply, said
from cody_worker.file_text import EncodingNotKept, read_text
from cody_worker.prompts import instructions
from cody_worker.syntax import broken_syntax

_ROUNDS = 3


class FileQuestion(Struct, frozen=True, kw_only=True):
    """`path` is the file's in its repository, `data` its bytes; `model` is the one that is asked. Without a `plan`, the
    prompt says it all."""

    path: str
    data: bytes
    prompt: str
    job_type: JobType
    model: str
    plan: Plan | None = None


class FileAnswer(Struct, frozen=True, kw_only=True):
    """`new_data` is there for an `Edited` outcome, and differs from the question's data."""

    outcome: FileOutcome
    new_data: bytes | None
    calls: tuple[CallUsage, ...]
    thread: ClaudeThread


def question_key(question: FileQuestion) -> str:
    """Hex SHA-256 of all that decides the answer: two files with one key need one call."""
    digest = hashlib.sha256()
    for part in (
        PROTOCOL_VERSION.encode(),
        bytes(TOOLS),
        question.model.encode(),
        instructions(question.job_type).encode(),
        question.prompt.encode("utf-8", "surrogatepass"),
        msgspec.json.encode(question.plan),
        question.path.encode("utf-8", "surrogatepass"),
        question.data,
    ):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def reapply(question: FileQuestion, outcome: Edited) -> bytes:
    """The new bytes of a file whose outcome was found by its key."""
    return apply_edits(question.data, outcome.edits)


async def edit_file(claude: Claude, question: FileQuestion) -> FileAnswer:
    """Raises only what stops the whole job: `NoMoreAnswers` (its `calls` were paid for). All else is an outcome."""
    text = read_text(question.data)
    if text is None:
        thread = ClaudeThread(path=question.path, model=question.model, messages=())
        outcome = _gave_up(FailureCode.ENCODING_NOT_KEPT, "the file is binary", retryable=False)
        return FileAnswer(outcome=outcome, new_data=None, calls=(), thread=thread)
    conversation = _Conversation(claude, question, text.shown)
    outcome, new_data = await conversation.settle()
    return FileAnswer(outcome=outcome, new_data=new_data, calls=tuple(conversation.calls), thread=conversation.thread())


class _Conversation:
    def __init__(self, claude: Claude, question: FileQuestion, shown: str) -> None:
        self.calls: list[CallUsage] = []
        self._claude = claude
        self._question = question
        self._messages = opening(question.path, shown, question.prompt, question.job_type)
        self._limit = claude.max_output_tokens
        self._doubled = False

    def thread(self) -> ClaudeThread:
        return ClaudeThread(path=self._question.path, model=self._question.model, messages=self._messages)

    async def settle(self) -> tuple[FileOutcome, bytes | None]:
        problem: Problem | None = None
        for _ in range(_ROUNDS):
            reply = await self._ask()
            if isinstance(reply, GaveUp):
                return reply, None
            result = await self._judge(reply)
            if not isinstance(result, Problem):
                self._messages += said(reply)
                return result
            problem = result
            self._messages += follow_up(reply, problem)
        assert problem is not None
        return _gave_up(problem.code, f"after {_ROUNDS} tries: {problem.message}", retryable=True), None

    async def _ask(self) -> ClaudeReply | GaveUp:
        """A reply that is whole. One that was cut off by the token limit is asked for once more, with room."""
        while True:
            try:
                reply = await self._claude.ask(self._request())
            except NoMoreAnswers as error:
                error.calls = (*self.calls, *error.calls)
                raise
            except JobFailed as error:
                self.calls += error.calls if isinstance(error, ClaudeFailed) else ()
                return _gave_up(FailureCode(error.code), error.message, retryable=error.retryable)
            self.calls += reply.calls
            if reply.stop is StopReason.REFUSAL:
                self._messages += said(reply)
                return _gave_up(FailureCode.CLAUDE_REFUSED, "Claude declined to work on this file", retryable=False)
            if reply.stop not in {StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL}:
                return reply
            if self._doubled or reply.stop is StopReason.CONTEXT_FULL:
                return self._cut_off(reply.stop)
            self._doubled, self._limit = True, self._limit * 2

    def _request(self) -> ClaudeRequest:
        return ClaudeRequest(
            model=self._question.model, messages=self._messages, tools=TOOLS, max_output_tokens=self._limit
        )

    def _cut_off(self, stop: StopReason) -> GaveUp:
        limit = "the model's context" if stop is StopReason.CONTEXT_FULL else f"{self._limit} output tokens"
        message = f"Claude's reply was cut off at {limit} and was not applied"
        return _gave_up(FailureCode.CLAUDE_REPLY_CUT_OFF, message, retryable=False)

    async def _judge(self, reply: ClaudeReply) -> tuple[Edited | LeftAlone, bytes | None] | Problem:
        read = read_reply(reply)
        if isinstance(read, LeftAlone):
            return read, None
        if isinstance(read, Problem):
            return read
        # Searching and parsing a large file takes a while, and the worker's leases have to be kept meanwhile.
        new_data = await asyncio.to_thread(_apply, self._question, read)
        return new_data if isinstance(new_data, Problem) else (read, new_data)


def _apply(question: FileQuestion, outcome: Edited) -> bytes | Problem:
    try:
        new_data = apply_edits(question.data, outcome.edits)
    except EditNotApplicable as error:
        return Problem(code=FailureCode.EDIT_NOT_APPLICABLE, message=str(error), advice=_advice(error))
    except EncodingNotKept as error:
        advice = "Use only characters that the file can hold."
        return Problem(code=FailureCode.ENCODING_NOT_KEPT, message=str(error), advice=advice)
    if new_data == question.data:
        message, advice = "the edits change nothing", "If the task asks for no change here, call leave_unchanged."
        return Problem(code=FailureCode.CLAUDE_REPLY_UNUSABLE, message=message, advice=advice)
    broken = broken_syntax(question.path, question.data, new_data)
    if broken is None:
        return new_data
    message = f"with these edits the file does not parse any more: {broken}"
    return Problem(code=FailureCode.SYNTAX_BROKEN, message=message, advice="Give all edits again, corrected.")


def _advice(error: EditNotApplicable) -> str:
    """What Claude needs to know to do better."""
    again = "Give all edits again; every old_text must be copied exactly from the file and occur in it once."
    if error.count:
        return f"Include neighbouring lines, so that it occurs once. {again}"
    if error.nearest is None:
        return again
    return f"The text that comes closest begins at line {error.nearest.line}:\n{error.nearest.text}\n{again}"


def _gave_up(code: FailureCode, message: str, *, retryable: bool) -> GaveUp:
    return GaveUp(failure=Failure(code=code, message=message, retryable=retryable))
