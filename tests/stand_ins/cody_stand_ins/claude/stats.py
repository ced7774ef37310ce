"""What the stand-in was asked, for tests that count calls."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct


class Question(Struct, frozen=True, kw_only=True, rename="camel"):
    """`content` is the hex SHA-256 of model and first user message: the same question has the same one."""

    model: str
    path: str | None
    content: str
    count: int


class Stats(Struct, frozen=True, kw_only=True, rename="camel"):
    """Since the start or the last reset. `by_status` has HTTP statuses; `messages` counts requests to /v1/messages, and
    `answered` those that got a whole answer; `admitted` are those within the limits,
    the last of them `admitted_seconds` after the first, with `counted_input_tokens` that count towards the limit.
    `batches` were made, and `batch_cancels` of them cancelled; `batch_answers` counts, by custom id, the answers that
    were given in them, and have to be paid for."""

    messages: int
    answered: int
    admitted: int
    admitted_seconds: float
    by_status: Mapping[str, int]
    by_fault: Mapping[str, int]
    questions: tuple[Question, ...]
    most_at_once: int
    input_tokens: int
    counted_input_tokens: int
    output_tokens: int
    bytes_received: int
    cpu_seconds: float
    batches: int = 0
    batch_cancels: int = 0
    batch_answers: Mapping[str, int] = {}

    @property
    def limited(self) -> int:
        """Requests that were refused for a limit."""
        return self.by_status.get("429", 0)

    def asked(self, path: str) -> int:
        """How often a file with this path was asked about."""
        return sum(question.count for question in self.questions if question.path == path)


class Tally:
    """Counts for `Stats`."""

    def __init__(self, cpu: float) -> None:
        self._cpu = cpu
        self.messages = 0
        self.answered = 0
        self.admitted: list[float] = []
        self.by_status: Counter[str] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.questions: Counter[tuple[str, str | None, str]] = Counter()
        self.now = 0
        self.most_at_once = 0
        self.input_tokens = 0
        self.counted_input_tokens = 0
        self.output_tokens = 0
        self.bytes_received = 0
        self.batches = 0
        self.batch_cancels = 0
        self.batch_answers: Counter[str] = Counter()

    def begin(self) -> None:
        self.messages += 1
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)

    def end(self) -> None:
        self.now -= 1

    def stats(self, cpu: float) -> Stats:
        return Stats(
            messages=self.messages,
            answered=self.answered,
            admitted=len(self.admitted),
            admitted_seconds=self.admitted[-1] - self.admitted[0] if self.admitted else 0.0,
            by_status=dict(self.by_status),
            by_fault=dict(self.by_fault),
            questions=tuple(
                Question(model=model, path=path, content=content, count=count)
                for (model, path, content), count in self.questions.items()
            ),
            most_at_once=self.most_at_once,
            input_tokens=self.input_tokens,
            counted_input_tokens=self.counted_input_tokens,
            output_tokens=self.output_tokens,
            bytes_received=self.bytes_received,
            cpu_seconds=cpu - self._cpu,
            batches=self.batches,
            batch_cancels=self.batch_cancels,
            batch_answers=dict(self.batch_answers),
        )
