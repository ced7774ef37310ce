"""Answers of the API, field by field as it gives them."""

from collections.abc import Mapping

JOB_ID = "job-1"
AT = "2026-01-01T10:00:00Z"

_FILES = {
    "examined": 3,
    "candidates": 2,
    "edited": 1,
    "unchanged": 1,
    "failed": 0,
    "reused": 0,
    "skipped": {"binary": 1},
}
_USAGE = {
    "calls": 2,
    "inputTokens": 1000,
    "outputTokens": 200,
    "cacheCreationInputTokens": 0,
    "cacheReadInputTokens": 0,
    "costMicrousd": 12300,
}


def job(**fields: object) -> dict[str, object]:
    return {
        "id": JOB_ID,
        "name": "Test Job",
        "type": "code-pattern-update",
        "status": "SUCCEEDED",
        "repositories": 2,
        "counts": {"succeeded": 2, "patches": 1, "noChanges": 1},
        "failure": None,
        "submittedBy": "ada",
        "createdAt": AT,
        "updatedAt": AT,
        "endedAt": "2026-01-01T10:00:05Z",
        "links": {"self": f"/jobs/{JOB_ID}"},
        "prompt": "Do it",
        "model": None,
        "usage": _USAGE,
        **fields,
    }


def run(repository: str = "acme/web", **fields: object) -> dict[str, object]:
    return {
        "repository": repository,
        "position": 0,
        "status": "SUCCEEDED",
        "outcome": "patch",
        "reason": None,
        "failure": None,
        "files": _FILES,
        "attempt": 1,
        "dispatches": 1,
        "losses": 0,
        "startedAt": AT,
        "endedAt": "2026-01-01T10:00:02Z",
        "updatedAt": AT,
        **fields,
    }


def run_detail(repository: str = "acme/web", **fields: object) -> dict[str, object]:
    patch = {
        "baseCommit": "b" * 40,
        "commit": "c" * 40,
        "branch": "cody/job-1",
        "message": "Do it",
        "size": 10,
        "filesChanged": 1,
        "linesAdded": 2,
        "linesRemoved": 1,
    }
    return {**run(repository), "patch": patch, "usage": _USAGE, "fileResults": page(file_result("a.py")), **fields}


def file_result(path: str, outcome: Mapping[str, object] | None = None) -> dict[str, object]:
    edited = {"kind": "edited", "edits": [{"oldText": "a", "newText": "b"}]}
    return {"path": path, "outcome": outcome or edited, "reusedFrom": None, "costMicrousd": 100, "at": AT}


def failure(code: str, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "retryable": False}


def page(*items: object, cursor: str | None = None) -> dict[str, object]:
    return {"items": list(items), "cursor": cursor}


def event(number: int, kind: str, **body: object) -> dict[str, object]:
    return {"id": number, "jobId": JOB_ID, "at": AT, "body": {"kind": kind, **body}}
