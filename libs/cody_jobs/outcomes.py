"""What became of one file, what it cost, and the conversation that led there."""

from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct

from cody_jobs.models import Failure


class Edit(Struct, frozen=True, kw_only=True, rename="camel"):
    """Replace `old_text`, which occurs exactly once in the file as Claude was shown it, by `new_text`."""

    old_text: str
    new_text: str


class Edited(Struct, frozen=True, kw_only=True, tag="edited", tag_field="kind"):
    """All edits apply in this order to the very bytes that were asked about."""

    edits: tuple[Edit, ...]


class LeftAlone(Struct, frozen=True, kw_only=True, tag="unchanged", tag_field="kind"):
    reason: str


class GaveUp(Struct, frozen=True, kw_only=True, tag="failed", tag_field="kind"):
    failure: Failure


FileOutcome = Edited | LeftAlone | GaveUp


class CallUsage(Struct, frozen=True, kw_only=True, rename="camel"):
    """One answered call to Claude. `input_tokens` are the uncached ones; total input is the sum of the three."""

    request_id: str | None
    model: str
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    cost_microusd: int
    latency_ms: int
    at: datetime


class UsageTotals(Struct, frozen=True, kw_only=True, rename="camel"):
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cost_microusd: int = 0


class ThreadMessage(Struct, frozen=True, kw_only=True):
    """One message as it went over the wire: `content` is the Messages API's own JSON (a string or a list of blocks)."""

    role: Literal["system", "user", "assistant"]
    content: Raw


class ClaudeThread(Struct, frozen=True, kw_only=True, rename="camel"):
    path: str
    model: str
    messages: tuple[ThreadMessage, ...]


class FileRecord(Struct, frozen=True, kw_only=True):
    """Everything that is stored, in one transaction, as soon as a file's outcome is known.

    `question` is the hex SHA-256 of all that decides the answer (model, instructions, prompt, path, bytes); outcomes
    are found again by it. `reused_from` names the job whose answer this is, when no call was made.
    """

    job_id: str
    repository: str
    path: str
    question: str
    outcome: FileOutcome
    calls: tuple[CallUsage, ...]
    thread: ClaudeThread | None
    reused_from: str | None


class FileResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """One file of a run as it is listed: the outcome, without the conversation."""

    path: str
    outcome: FileOutcome
    reused_from: str | None
    cost_microusd: int
    at: datetime


class KnownOutcome(Struct, frozen=True, kw_only=True):
    """An outcome found by its question. Only `Edited` and `LeftAlone` are kept for reuse."""

    outcome: Edited | LeftAlone
    job_id: str


class RunPatch(Struct, frozen=True, kw_only=True, rename="camel"):
    """The diff of one run. `patch` is bytes, as `git apply --index` takes them at `base_commit`."""

    base_commit: str
    commit: str
    branch: str
    message: str
    patch: bytes
    files_changed: int
    lines_added: int
    lines_removed: int
