"""Ask Claude for a plan until there is one that can be carried out, or none."""

from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import Failure, FailureCode, JobSpec
from cody_jobs.outcomes import CallUsage, ClaudeThread
from cody_jobs.plan import Plan
from cody_worker.claude import Claude, ClaudeFailed, ClaudeReply, ClaudeRequest, NoMoreAnswers, StopReason
from cody_worker.plan.check_plan import check_plan
from cody_worker.plan.plan_tool import TOOLS, Problems, Refused, follow_up, opening, question_key, read_reply, said

_ROUNDS = 3
_THREAD_PATH = "(plan)"
"""As with the judge's: no path in a repository ends in a parenthesis by accident."""


class PlanQuestion(Struct, frozen=True, kw_only=True):
    spec: JobSpec
    model: str

    @property
    def key(self) -> str:
        return question_key(self.model, opening(self.spec))


class PlanAnswer(Struct, frozen=True, kw_only=True):
    """`failure` is of the whole job: it may be one that every further question would meet as well."""

    plan: Plan | None
    failure: Failure | None
    calls: tuple[CallUsage, ...]
    thread: ClaudeThread


async def ask_for_plan(claude: Claude, question: PlanQuestion) -> PlanAnswer:
    """Raises nothing of Claude's: whatever it was, the calls were paid for, and there is a plan or a failure."""
    conversation = _Conversation(claude, question)
    settled = await conversation.settle()
    made = isinstance(settled, Plan)
    return PlanAnswer(
        plan=settled if made else None,
        failure=None if made else settled,
        calls=tuple(conversation.calls),
        thread=conversation.thread(),
    )


class _Conversation:
    def __init__(self, claude: Claude, question: PlanQuestion) -> None:
        self.calls: list[CallUsage] = []
        self._claude = claude
        self._question = question
        self._messages = opening(question.spec)

    def thread(self) -> ClaudeThread:
        return ClaudeThread(path=_THREAD_PATH, model=self._question.model, messages=self._messages)

    async def settle(self) -> Plan | Failure:
        problems = Problems(found=())
        for _ in range(_ROUNDS):
            reply = await self._ask()
            if isinstance(reply, Failure):
                return reply
            result = await _judge(reply)
            if isinstance(result, Plan | Refused):
                self._messages += said(reply)
                return result if isinstance(result, Plan) else _refused(result.reason)
            problems = result
            self._messages += follow_up(reply, problems)
        message = f"Claude made no usable plan in {_ROUNDS} tries: {problems.found[0]}"
        return _failed(f"{message} {_BRING_ONE}", retryable=True)

    async def _ask(self) -> ClaudeReply | Failure:
        try:
            reply = await self._claude.ask(self._request())
        except NoMoreAnswers as error:
            self.calls += error.calls
            return Failure(code=FailureCode(error.code), message=error.message, retryable=error.retryable)
        except JobFailed as error:
            self.calls += error.calls if isinstance(error, ClaudeFailed) else ()
            capped = error.code == FailureCode.COST_CAP_REACHED
            message = f"Claude could not be asked for a plan: {error.message}"
            code = FailureCode.COST_CAP_REACHED if capped else FailureCode.PLAN_FAILED
            return Failure(code=code, message=message, retryable=error.retryable)
        self.calls += reply.calls
        if reply.stop is StopReason.REFUSAL:
            self._messages += said(reply)
            return _refused("without a word")
        if reply.stop in {StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL}:
            return _failed(f"Claude's plan was cut off ({reply.stop}). {_BRING_ONE}", retryable=True)
        return reply

    def _request(self) -> ClaudeRequest:
        return ClaudeRequest(
            model=self._question.model,
            messages=self._messages,
            tools=TOOLS,
            max_output_tokens=self._claude.max_output_tokens,
        )


_BRING_ONE = "A job may bring its own `plan`, or `include` and `match`, and needs none then."


async def _judge(reply: ClaudeReply) -> Plan | Refused | Problems:
    read = read_reply(reply)
    if not isinstance(read, Plan):
        return read
    return await check_plan(read) or read


def _refused(reason: str) -> Failure:
    return _failed(f"Claude declined to plan this job: {reason}", retryable=False)


def _failed(message: str, *, retryable: bool) -> Failure:
    return Failure(code=FailureCode.PLAN_FAILED, message=message, retryable=retryable)
