"""Queries are spans of the trace that they belong to, and of none otherwise."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = Path(__file__).with_name("traced_program.py")


def test_queries_make_spans_inside_of_a_trace_only_and_a_transaction_is_one(database_url: str) -> None:
    """In a program of its own: what records spans is global to a process."""
    finished = subprocess.run(
        [sys.executable, _PROGRAM, database_url], capture_output=True, text=True, check=True, timeout=60
    )
    assert finished.stdout.splitlines() == [
        "look_twice child of work",
        "SELECT child of work: SELECT 'seen'",
        "work",
    ]
