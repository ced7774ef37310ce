"""Options of GitHub's stand-in for a test run that keeps what was asked and answered (`--record-github FOLDER`)."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest


def record_options(config: pytest.Config) -> Sequence[str]:
    """None in an ordinary run. Every stand-in gets a file of its own."""
    folder: str | None = config.getoption("--record-github")
    if folder is None:
        return []
    return ["--record", str(Path(folder) / f"{uuid.uuid4().hex}.jsonl")]
