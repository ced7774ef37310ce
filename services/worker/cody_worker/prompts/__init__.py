"""What Claude is told, as plain text files beside this one."""

from functools import cache
from importlib.resources import files

from cody_jobs.models import JobType


@cache
def instructions(job_type: JobType) -> str:
    """The system prompt of a job type: what holds for every file, then what holds for this kind of job."""
    return f"{prompt_text('every-file')}\n{prompt_text(job_type.value)}"


@cache
def prompt_text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
