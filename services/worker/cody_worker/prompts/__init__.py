"""What Claude is told, as plain text files beside this one."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from cody_jobs.models import JobType

_PARTS: Mapping[JobType, tuple[str, ...]] = {
    JobType.CODE_PATTERN_UPDATE: ("every-file", "editing", "shown-files"),
    JobType.DEPENDENCY_UPDATE: ("every-file", "editing", "shown-files"),
    JobType.CODE_ANALYSIS: ("every-file", "shown-files"),
}


@cache
def instructions(job_type: JobType) -> str:
    """The system prompt of a job type: what holds for every file, then what holds for this kind of job."""
    return "\n".join(prompt_text(name) for name in (*_PARTS[job_type], job_type.value))


@cache
def prompt_text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
