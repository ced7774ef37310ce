"""What was asked and answered, kept in a file, so that it can be held against GitHub's published description."""

import uuid
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cody_stand_ins.github.request import Answer, Request

RECORDINGS = "STAND_IN_RECORDINGS"
"""Environment variable: a folder. So every stand-in that a test run starts keeps its own, wherever it is started."""


class Exchange(Struct, frozen=True, kw_only=True, rename="camel"):
    """One call of REST. `path` is still quoted and without a prefix; `answer` is None where there is no body, or none
    in JSON."""

    method: str
    path: str
    query: dict[str, str]
    version: str | None
    body: Any
    status: int
    answer: Any


class Recorder:
    """Writes a line for each call, at once, into a file of its own in the folder; with no folder, nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / f"{uuid.uuid4().hex}.jsonl"

    def keep(self, request: Request, answer: Answer) -> None:
        if self._file is None or request.path.startswith(("/graphql", "/_logs/")):
            return
        exchange = Exchange(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            version=request.headers.get("x-github-api-version"),
            body=_decoded(request.body),
            status=answer.status,
            answer=None if isinstance(answer.body, bytes) else answer.body,
        )
        with self._file.open("ab") as lines:
            lines.write(msgspec.json.encode(exchange) + b"\n")


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        return None
