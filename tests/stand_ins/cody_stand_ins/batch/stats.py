"""What the stand-in was asked and what it runs, for tests that count."""

from collections.abc import Mapping

from msgspec import Struct


class RunningJob(Struct, frozen=True, kw_only=True, rename="camel"):
    """`attempt` counts from 1."""

    job_id: str
    job_name: str
    attempt: int
    pid: int


class Stats(Struct, frozen=True, kw_only=True, rename="camel"):
    """Since the start or the last reset; `running` is now. `submitted` has the ids of all jobs, parents alone."""

    calls: Mapping[str, int]
    faults: Mapping[str, int]
    largest_payload: Mapping[str, int]
    submitted: tuple[str, ...]
    running: tuple[RunningJob, ...]
    started: int
    most_at_once: int
    lost: int
