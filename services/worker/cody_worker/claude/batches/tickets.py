"""A request that waits for its answer, and what may come of it."""

import asyncio
import hashlib

import msgspec
from msgspec import Struct

from cody_worker.claude.claude import ClaudeFailed, ClaudeReply, ClaudeRequest
from cody_worker.worker_stopping import WorkerStopping


class Unanswered(Struct, frozen=True, kw_only=True):
    """It has cost nothing, and can be sent again. `counts` as one of its tries."""

    reason: str
    counts: bool = True


Answer = ClaudeReply | ClaudeFailed | Unanswered | WorkerStopping | Exception


class Ticket:
    """`size` is about what it takes in a batch, in bytes."""

    def __init__(self, custom_id: str, request: ClaudeRequest) -> None:
        self.custom_id = custom_id
        self.request = request
        self.size = sum(len(bytes(message.content)) for message in request.messages) + len(bytes(request.tools))
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    async def answer(self) -> Answer:
        return await asyncio.shield(self._answer)

    def settle(self, answer: Answer) -> None:
        """The first answer counts."""
        if not self._answer.done():
            self._answer.set_result(answer)


def custom_id(job_id: str, request: ClaudeRequest) -> str:
    """Names a request of a job for ever: hex SHA-256 of all that decides the answer, 64 characters as the API allows.

    Not of how many tokens a cap has left for the answer: that is another number when the same is asked again.
    """
    limit = request.wanted_output_tokens or request.max_output_tokens
    said = [(message.role, message.content) for message in request.messages]
    parts = [job_id, request.model, limit, request.parallel_calls, request.tools, said]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
