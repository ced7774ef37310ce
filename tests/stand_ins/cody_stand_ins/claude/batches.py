"""The Message Batches API: batches are made at once, answered after a while, and kept until all is forgotten."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from cody_stand_ins.claude.conversation import MessagesRequest
from cody_stand_ins.claude.wire import error_body

Result = Mapping[str, Any]
"""`{"type": "succeeded", "message": {…}}`, or another kind of it."""
AnswerOne = Callable[[MessagesRequest], Result]

_MOST_REQUESTS, _DAY = 100_000, timedelta(hours=24)
_KINDS = ("succeeded", "errored", "canceled", "expired")


class BatchRequest(Struct, frozen=True, kw_only=True):
    custom_id: str
    params: MessagesRequest


class BatchParams(Struct, frozen=True, kw_only=True):
    requests: tuple[BatchRequest, ...]


class Batch:
    def __init__(self, number: int, requests: Sequence[BatchRequest], seconds: float) -> None:
        digest = hashlib.sha256("".join(request.custom_id for request in requests).encode()).hexdigest()
        self.id = f"msgbatch_{number:06d}{digest[:12]}"
        self.requests = requests
        self.created_at = datetime.now(UTC)
        self.cancelled_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.results: dict[str, Result] = {}
        self._ends = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return self.cancelled_at is not None or time.monotonic() >= self._ends

    def cancel(self) -> None:
        self.cancelled_at = self.cancelled_at or datetime.now(UTC)

    def end(self, answer: AnswerOne, answered: Counter[str]) -> None:
        """Answer all of its requests; in the order of their ids, which is not the one in which they came."""
        self.ended_at = datetime.now(UTC)
        for request in sorted(self.requests, key=lambda request: request.custom_id):
            canceled = {"type": "canceled"} if self.cancelled_at is not None else None
            self.results[request.custom_id] = result = canceled or answer(request.params)
            answered.update([request.custom_id] if result["type"] == "succeeded" else [])

    def view(self, url: str) -> dict[str, Any]:
        ended = self.ended_at is not None
        counts = {kind: sum(1 for result in self.results.values() if result["type"] == kind) for kind in _KINDS}
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": {"processing": len(self.requests) - len(self.results), **counts},
            "created_at": _time(self.created_at),
            "expires_at": _time(self.created_at + _DAY),
            "ended_at": _time(self.ended_at) if self.ended_at else None,
            "cancel_initiated_at": _time(self.cancelled_at) if self.cancelled_at else None,
            "archived_at": None,
            "results_url": f"{url}/v1/messages/batches/{self.id}/results" if ended else None,
        }


class Batches:
    """All that were made, in their order."""

    def __init__(self) -> None:
        self._made: dict[str, Batch] = {}

    def __len__(self) -> int:
        return len(self._made)

    def find(self, batch_id: str) -> Batch | None:
        return self._made.get(batch_id)

    def make(self, params: BatchParams, seconds: float) -> Batch:
        batch = Batch(len(self._made) + 1, params.requests, seconds)
        self._made[batch.id] = batch
        return batch

    def end_those_over(self, answer: AnswerOne, answered: Counter[str]) -> None:
        """`answered` counts by custom id what has to be paid for."""
        for batch in self._made.values():
            if batch.is_over and batch.ended_at is None:
                batch.end(answer, answered)

    def page(self, *, limit: int, after: str | None, url: str) -> dict[str, Any]:
        """The latest come first."""
        latest = [batch.id for batch in reversed(self._made.values())]
        start = latest.index(after) + 1 if after in latest else 0
        ids = latest[start : start + limit]
        return {
            "data": [self._made[batch_id].view(url) for batch_id in ids],
            "has_more": start + limit < len(latest),
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
        }


def read_params(body: bytes) -> BatchParams | str:
    """Or what is wrong with it."""
    try:
        params = msgspec.json.decode(body, type=BatchParams)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    ids = [request.custom_id for request in params.requests]
    if not ids or len(ids) > _MOST_REQUESTS:
        return f"requests: there must be 1 to {_MOST_REQUESTS}"
    if len(set(ids)) < len(ids):
        return "requests: custom_id must be unique within a batch"
    if any(not 1 <= len(one) <= 64 or not one.replace("-", "_").replace("_", "a").isalnum() for one in ids):
        return "requests: custom_id must have 1 to 64 letters, digits, - and _"
    return params


def errored(status: int, message: str) -> Result:
    """An error of the Messages API, as a result."""
    return {"type": "errored", "error": msgspec.json.decode(error_body(status, message, "req_of_a_batch"))}


def results_lines(batch: Batch) -> list[bytes]:
    return [
        msgspec.json.encode({"custom_id": custom_id, "result": result}) + b"\n"
        for custom_id, result in batch.results.items()
    ]


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
