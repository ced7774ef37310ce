"""What became of one file, what it cost, and the conversation that led there."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Raw, Struct

from cody_jobs.models import Failure


class Edit(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Replace `old_text`, which occurs exactly once in what Claude was shown of the file, by `new_text`. `line` is
    where it begins, counted from 1, if it occurs again in what was not shown."""

    old_text: str
    new_text: str
    line: int | None = None


class NewFile(Struct, frozen=True, kw_only=True):
    """A file that was not there before, as UTF-8 with plain line ends."""

    path: str
    text: str


class Look(StrEnum):
    """`file`: another file was read; `search`: its repository was searched for a text."""

    FILE = "file"
    SEARCH = "search"


class Seen(Struct, frozen=True, kw_only=True):
    """What the answer rests on besides its own file: `digest` is the hex SHA-256 of what was shown for `subject`."""

    look: Look
    subject: str
    digest: str


class Edited(Struct, frozen=True, kw_only=True, tag="edited", tag_field="kind", omit_defaults=True):
    """All edits apply in this order to the very bytes that were asked about. Then the file may get another path
    (`renamed`), or be `deleted`, without edits; `created` are new files that belong to the change."""

    edits: tuple[Edit, ...]
    created: tuple[NewFile, ...] = ()
    renamed: str | None = None
    deleted: bool = False
    seen: tuple[Seen, ...] = ()


class LeftAlone(Struct, frozen=True, kw_only=True, tag="unchanged", tag_field="kind", omit_defaults=True):
    reason: str
    seen: tuple[Seen, ...] = ()


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was found in a file. `line` counts from 1."""

    line: int
    severity: Severity
    text: str


class Reported(Struct, frozen=True, kw_only=True, tag="reported", tag_field="kind", omit_defaults=True):
    """What an analysis found in a file that it did not touch; possibly nothing, for the `reason`."""

    findings: tuple[Finding, ...]
    reason: str = ""
    seen: tuple[Seen, ...] = ()


class GaveUp(Struct, frozen=True, kw_only=True, tag="failed", tag_field="kind"):
    failure: Failure


Answered = Edited | LeftAlone | Reported
"""Outcomes that are kept for reuse."""
FileOutcome = Answered | GaveUp


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
    """An outcome found by its question. Whoever uses it again looks first whether what was `seen` is still so."""

    outcome: Answered
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
