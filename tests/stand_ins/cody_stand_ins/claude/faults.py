"""What goes wrong, and for whom. Set at the start or at run time; deterministic for a seed and an order of requests."""

import random
import re
import time
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum

from msgspec import Struct


class FaultKind(StrEnum):
    """Before an answer: a status or silence. Then: ways to break a stream. Then: ways to answer badly. At the end: what
    goes wrong with batches only."""

    BAD_REQUEST = "400"
    KEY_REFUSED = "401"
    SPENDING_LIMIT = "402"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    TOO_LARGE = "413"
    RATE_LIMIT = "429"
    ACCOUNT_LIMIT = "429-spending"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    OVERLOADED = "529"
    SILENT = "silent"
    ERROR_EVENT = "error-event"
    CUT = "cut"
    ENDED_EARLY = "ended-early"
    IDLE = "idle"
    NOT_JSON_EVENT = "not-json-event"
    NOT_A_STREAM = "not-a-stream"
    CUT_OFF = "cut-off"
    CONTEXT_FULL = "context-full"
    REFUSAL = "refusal"
    NOT_JSON = "not-json"
    WRONG_INPUT = "wrong-input"
    UNKNOWN_TOOL = "unknown-tool"
    TWO_TOOLS = "two-tools"
    TEXT_ONLY = "text-only"
    EMPTY = "empty"
    NO_CHANGE = "no-change"
    WRONG_MATCH = "wrong-match"
    AMBIGUOUS_MATCH = "ambiguous-match"
    BROKEN_SYNTAX = "broken-syntax"
    ELIDED = "elided"
    CUT_BETWEEN_EDITS = "cut-between-edits"
    REFORMATTED = "reformatted"
    RESTYLED = "restyled"
    WRONG_FILE = "wrong-file"
    TEST_REMOVED = "test-removed"
    TEST_WEAKENED = "test-weakened"
    WORKFLOW_EDITED = "workflow-edited"
    WORKFLOW_CREATED = "workflow-created"
    INJECTION_FOLLOWED = "injection-followed"
    INJECTED_CODE = "injected-code"
    SECRET_ADDED = "secret-added"
    BIDI_ADDED = "bidi-added"
    DEPENDENCY_ADDED = "dependency-added"
    NO_OP = "no-op"
    HALF_DONE = "half-done"
    FILE_DELETED = "file-deleted"
    BATCH_NOT_MADE = "batch-not-made"
    BATCH_SILENT = "batch-silent"
    BATCH_ANSWER_LOST = "batch-answer-lost"
    BATCH_ANSWER_SILENT = "batch-answer-silent"
    BATCH_REFUSED = "batch-429"
    BATCH_EXPIRED = "batch-expired"
    BATCH_RESULTS_CUT = "batch-results-cut"
    BATCH_RESULTS_SILENT = "batch-results-silent"


STATUS_FAULTS: Mapping[FaultKind, tuple[int, str, str | None]] = {
    FaultKind.BAD_REQUEST: (400, "messages.0: the stand-in was told to find this request bad", None),
    FaultKind.KEY_REFUSED: (401, "invalid x-api-key", None),
    FaultKind.SPENDING_LIMIT: (402, "the account's credit is used up", None),
    FaultKind.FORBIDDEN: (403, "this key has no permission to use the model", None),
    FaultKind.NOT_FOUND: (404, "model: not found", None),
    FaultKind.TOO_LARGE: (413, "Request exceeds the maximum size", None),
    FaultKind.RATE_LIMIT: (429, "This request would exceed the account's rate limit", None),
    FaultKind.ACCOUNT_LIMIT: (429, "The spending limit of the month is reached", "enforced_spend_limit_reached"),
    FaultKind.SERVER_ERROR: (500, "Internal server error", None),
    FaultKind.UNAVAILABLE: (503, "Service unavailable", None),
    FaultKind.OVERLOADED: (529, "Overloaded", None),
}
"""Status, message and error code of the faults that are an HTTP error."""
BREAKS = frozenset(
    {FaultKind.ERROR_EVENT, FaultKind.CUT, FaultKind.ENDED_EARLY, FaultKind.IDLE, FaultKind.NOT_JSON_EVENT}
)
"""Faults in the middle of a stream."""

CREATIONS = frozenset(
    {
        FaultKind.BATCH_NOT_MADE,
        FaultKind.BATCH_SILENT,
        FaultKind.BATCH_ANSWER_LOST,
        FaultKind.BATCH_ANSWER_SILENT,
        FaultKind.BATCH_REFUSED,
    }
)
"""What goes wrong when a batch is made: the connection dies before it is, or nothing happens; after it was, the same;
or a limit is reached."""
RESULTS = frozenset({FaultKind.BATCH_RESULTS_CUT, FaultKind.BATCH_RESULTS_SILENT})
"""In the middle of its results, the connection dies, or nothing more comes."""
OF_MESSAGES = frozenset(FaultKind) - CREATIONS - RESULTS - {FaultKind.BATCH_EXPIRED}


class Fault(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`times`: only the next so many matching requests; `share`: this part of them, by chance; `path`: only files whose
    path this regular expression finds something in; `retry_after`: seconds, sent with a 429 or 529; `after`,
    `lasts`: only in an episode that begins so many seconds after the fault was set, and ends by itself."""

    kind: FaultKind
    times: int | None = None
    share: float | None = None
    path: str | None = None
    retry_after: float | None = None
    after: float = 0.0
    lasts: float | None = None


class Faults(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Everything that can be set. `latency`, `jitter` and `writing` are seconds: each answer begins after latency ±
    jitter and ends `writing` later; each batch takes `batch_latency`. The limits are simulated in a world where a
    minute passes `time_scale` times as fast, for whoever asks, too."""

    faults: tuple[Fault, ...] = ()
    latency: float = 0.0
    jitter: float = 0.0
    writing: float = 0.0
    batch_latency: float = 0.0
    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    time_scale: float = 1.0
    seed: int = 0


class FaultChooser:
    """Which fault a request meets: the first that fits it."""

    def __init__(self, settings: Faults, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._set_at = clock()
        self._left = [fault.times for fault in settings.faults]
        self._patterns = [re.compile(fault.path) if fault.path else None for fault in settings.faults]
        self._chance = random.Random(settings.seed)

    def choose(self, path: str | None, kinds: Collection[FaultKind] = OF_MESSAGES) -> Fault | None:
        for number, fault in enumerate(self.settings.faults):
            if fault.kind in kinds and self._fits(number, fault, path):
                return fault
        return None

    def delay(self) -> float:
        spread = self._chance.uniform(-self.settings.jitter, self.settings.jitter) if self.settings.jitter else 0.0
        return max(0.0, self.settings.latency + spread)

    def _fits(self, number: int, fault: Fault, path: str | None) -> bool:
        pattern, left = self._patterns[number], self._left[number]
        if left == 0 or (pattern is not None and not (path and pattern.search(path))):
            return False
        age = self._clock() - self._set_at
        if age < fault.after or (fault.lasts is not None and age >= fault.after + fault.lasts):
            return False
        if fault.share is not None and self._chance.random() >= fault.share:
            return False
        if left is not None:
            self._left[number] = left - 1
        return True


def parse_fault(text: str) -> Fault:
    """From a command line: `429`, `429:times=3:retryAfter=1`, `wrong-match:share=0.1`, `500:path=\\.py$`."""
    import msgspec

    kind, *options = text.split(":")
    fields: dict[str, object] = {"kind": kind}
    for option in options:
        name, _, value = option.partition("=")
        fields[name] = value
    return msgspec.convert(fields, Fault, strict=False)
