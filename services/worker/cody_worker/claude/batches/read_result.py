"""What a batch's results say about one request."""

from typing import TYPE_CHECKING

from cody_jobs.models import FailureCode
from cody_jobs.outcomes import CallUsage
from cody_jobs.ports.batch_store import call_id
from cody_worker.claude.batches.tickets import Answer, Unanswered
from cody_worker.claude.claude import ClaudeFailed, ClaudeReply
from cody_worker.claude.errors import TryAgain, judge_kind
from cody_worker.claude.prices import Prices
from cody_worker.claude.read_stream import BrokenStream, StreamedReply

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse


def read_result(line: "MessageBatchIndividualResponse", batch: "MessageBatch", *, model: str, prices: Prices) -> Answer:
    result = line.result
    match result.type:
        case "succeeded":
            return _reply(result.message, batch, line.custom_id, model=model, prices=prices)
        case "errored":
            verdict = judge_kind(result.error.error.type, result.error.error.message, model)
            return Unanswered(reason=verdict.reason) if isinstance(verdict, TryAgain) else verdict
        case _:
            return Unanswered(reason=f"it {result.type} in batch {batch.id}")


def _reply(
    message: "Message", batch: "MessageBatch", custom_id: str, *, model: str, prices: Prices
) -> ClaudeReply | ClaudeFailed:
    read = StreamedReply()
    try:
        read.read_whole(message)
    except BrokenStream as error:
        # It was paid for, and reading it again would find the same.
        calls = (_usage(read, batch, custom_id, model=model, prices=prices),) if read.begun else ()
        return ClaudeFailed(FailureCode.CLAUDE_REPLY_UNUSABLE, str(error), retryable=True, calls=calls)
    usage = _usage(read, batch, custom_id, model=model, prices=prices)
    return ClaudeReply(content=read.content, blocks=read.blocks, stop=read.stop, calls=(usage,))


def _usage(read: StreamedReply, batch: "MessageBatch", custom_id: str, *, model: str, prices: Prices) -> CallUsage:
    """The same one, whenever and by whomever it is read."""
    tokens = read.tokens
    return CallUsage(
        request_id=call_id(batch.id, custom_id),
        model=model,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_creation_input_tokens=tokens.cache_creation,
        cache_read_input_tokens=tokens.cache_read,
        cost_microusd=prices.cost(model, tokens, batch=True),
        # Nobody is told how long Claude has worked on it; the time that it waited is the batch's.
        latency_ms=0,
        at=batch.created_at,
    )
