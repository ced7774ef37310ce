"""Results to test with."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Raw

from cody_jobs.models import Failure, FailureCode, Page
from cody_jobs.outcomes import (
    CallUsage,
    ClaudeThread,
    Edit,
    Edited,
    FileOutcome,
    FileRecord,
    Finding,
    GaveUp,
    LeftAlone,
    Look,
    NewFile,
    Reported,
    RunPatch,
    Seen,
    Severity,
    ThreadMessage,
)
from cody_jobs.ports import ResultStore
from cody_jobs.spans import SpanRecord

JOB, OTHER_JOB = "job-a", "job-b"
REPOSITORY, OTHER_REPOSITORY = "owner/one", "owner/two"
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

EDITED = Edited(edits=(Edit(old_text='a\n\0"ä', new_text="b\r\n"), Edit(old_text="x", new_text="")))
CHANGED_MORE = Edited(
    edits=(),
    created=(NewFile(path="b/ü.py", text="x = 1\n"),),
    renamed="c.py",
    seen=(Seen(look=Look.SEARCH, subject="old\0", digest="0" * 64),),
)
LEFT_ALONE = LeftAlone(reason="there is nothing to do \0")
REPORTED = Reported(findings=(Finding(line=3, severity=Severity.WARNING, text="old call"),), reason="one old call")
GAVE_UP = GaveUp(failure=Failure(code=FailureCode.CLAUDE_REFUSED, message="it would not", retryable=False))


def question(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def call(number: int = 0, *, cost: int = 100, request_id: str | None = "req") -> CallUsage:
    return CallUsage(
        request_id=request_id and f"{request_id}-{number}",
        model="claude-x",
        input_tokens=10,
        output_tokens=20,
        cache_creation_input_tokens=30,
        cache_read_input_tokens=40,
        cost_microusd=cost,
        latency_ms=1_500,
        at=START,
    )


def thread(path: str, said: str = "hello") -> ClaudeThread:
    return ClaudeThread(
        path=path,
        model="claude-x",
        messages=(
            ThreadMessage(role="system", content=Raw(b'"instructions \\u0000"')),
            ThreadMessage(role="user", content=Raw(b'[{"type":"text","text":"' + said.encode() + b'"}]')),
            ThreadMessage(role="assistant", content=Raw(b'[{"type":"tool_use","input":{"n":1.50}}]')),
        ),
    )


def record(
    path: str = "a.py",
    *,
    outcome: FileOutcome = EDITED,
    calls: Sequence[CallUsage] = (call(),),
    said: str | None = "hello",
    reused_from: str | None = None,
    job_id: str = JOB,
    repository: str = REPOSITORY,
) -> FileRecord:
    return FileRecord(
        job_id=job_id,
        repository=repository,
        path=path,
        question=question(path),
        outcome=outcome,
        calls=tuple(calls),
        thread=None if said is None else thread(path, said),
        reused_from=reused_from,
    )


def reused(path: str = "a.py", *, job_id: str = OTHER_JOB, outcome: FileOutcome = EDITED) -> FileRecord:
    return record(path, outcome=outcome, calls=(), said=None, reused_from=JOB, job_id=job_id)


async def threads(store: ResultStore, job_id: str = JOB, repository: str = REPOSITORY) -> tuple[ClaudeThread, ...]:
    page: Page[ClaudeThread] = await store.list_threads(job_id, repository, limit=100, cursor=None)
    assert page.cursor is None
    return page.items


def patch(content: bytes = b"diff --git a/x b/x\n\0\xff\r\n") -> RunPatch:
    return RunPatch(
        base_commit="a" * 40,
        commit="b" * 40,
        branch="cody/job-a",
        message="Replace\n\neverything",
        patch=content,
        files_changed=1,
        lines_added=2,
        lines_removed=3,
    )


def span(number: int, *, job_id: str | None = JOB, trace: int = 1, at: datetime | None = None) -> SpanRecord:
    return SpanRecord(
        trace_id=f"{trace:032x}",
        span_id=f"{number:016x}",
        parent_span_id=None if number == 0 else f"{0:016x}",
        name=f"step \0{number}" if number == 7 else "step",
        kind="internal",
        service="worker",
        job_id=job_id,
        started_at=at or datetime.now(UTC) + timedelta(milliseconds=number),
        duration_us=number,
        status="error" if number == 3 else "unset",
        status_message="it broke" if number == 3 else None,
        attributes={"text": "ä\0", "whole": 2**60, "half": 0.5, "yes": True},
        links=(f"{5:016x}", f"{6:016x}") if number == 2 else (),
    )
