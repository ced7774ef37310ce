"""A job as a JSON file, completed and overridden by options: the body of POST /jobs."""

import sys
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from cody_cli.failures import BadInput
from cody_jobs.models import JobType
from cody_jobs.steps import Judge, Lane, Step


class JobFile(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """What of a job is given; the API has the last word on what is missing."""

    name: str | UnsetType = UNSET
    type: JobType | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    repositories: tuple[str, ...] | UnsetType = UNSET
    create_pull_requests: bool | UnsetType = UNSET
    include: tuple[str, ...] | UnsetType = UNSET
    exclude: tuple[str, ...] | UnsetType = UNSET
    match: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    plan: dict[str, object] | UnsetType | None = UNSET
    max_cost_usd: float | UnsetType | None = UNSET
    max_cost_per_repository_usd: float | UnsetType | None = UNSET
    max_cost_per_file_usd: float | UnsetType | None = UNSET
    sample: int | UnsetType | None = UNSET
    dry_run: bool | UnsetType = UNSET
    lane: Lane | UnsetType = UNSET
    steps: tuple[Step, ...] | UnsetType = UNSET
    verify_rounds: int | UnsetType = UNSET
    judge: Judge | UnsetType = UNSET
    allow_paths: tuple[str, ...] | UnsetType = UNSET
    protect_paths: tuple[str, ...] | UnsetType = UNSET


def read_job_file(path: str | None) -> JobFile:
    """`-` is standard input, None an empty job. Raises `BadInput` with the place in the file."""
    if path is None:
        return JobFile()
    content = read_file(path)
    try:
        return msgspec.json.decode(content, type=JobFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {error}", hint=_FORMAT) from error


def read_prompt(text: str | None, file: Path | None) -> str | UnsetType:
    if text is not None and file is not None:
        raise BadInput("--prompt and --prompt-file: only one of them")
    if file is None:
        return UNSET if text is None else text
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--prompt-file {file}: {error}") from error


def read_plan(path: str | None) -> dict[str, object] | UnsetType:
    """The API has the last word on what may stand in it."""
    if path is None:
        return UNSET
    try:
        return msgspec.json.decode(read_file(path), type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"--plan {path}: {error}") from error


def complete(job: JobFile, **given: object) -> JobFile:
    """The job with every option that was given in place of the file's field."""
    return msgspec.structs.replace(job, **{name: value for name, value in given.items() if value is not UNSET})


def encode_job(job: JobFile) -> bytes:
    """The body of POST /jobs. Raises `BadInput` when there is no prompt or no repository; the rest has a default."""
    if job.prompt is UNSET or not job.prompt.strip():
        raise BadInput("there is no prompt", hint="--prompt TEXT, --prompt-file FILE, or a job file with a `prompt`")
    if not job.repositories:
        raise BadInput("no repositories were named", hint=_REPOSITORIES)
    kind = JobType.CODE_PATTERN_UPDATE if job.type is UNSET else job.type
    return msgspec.json.encode(msgspec.structs.replace(job, name=name_of(job), type=kind))


def name_of(job: JobFile) -> str:
    """Its name, or the prompt's beginning."""
    if job.name is not UNSET:
        return job.name
    first_line = "" if job.prompt is UNSET else job.prompt.strip().splitlines()[0]
    return first_line if len(first_line) <= _NAME_LENGTH else f"{first_line[: _NAME_LENGTH - 1]}…"


def read_file(path: str) -> bytes:
    """`-` is standard input. Raises `BadInput`."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error


_NAME_LENGTH = 60
_FORMAT = 'a job looks like {"name": "…", "type": "code-pattern-update", "prompt": "…", "repositories": ["owner/name"]}'
_REPOSITORIES = "--repo PATH or --repos FOLDER (`run`), --repository OWNER/NAME (`submit`), or a job file"
