"""What was asked and answered, kept in a file, so that it can be held against GitHub's published description."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cody_stand_ins.github.request import Answer, Request


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
    """Writes a line for each call, at once; with no file, nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

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
