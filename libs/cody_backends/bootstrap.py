"""Create what the family on AWS needs, on emulators and in sandboxes."""

from collections.abc import AsyncGenerator, Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.aws.settings import BatchSettings
from cody_backends.settings import BackendSettings

WORKER_VARIABLES = (
    "LOG_LEVEL",
    "LOG_FORMAT",
    "CODY_BACKEND",
    "DATABASE_URL",
    "CODY_DATA",
    "DATABASE_CONNECTIONS",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "JOBS_TABLE",
    "RUNS_TABLE",
    "JOB_RETENTION_DAYS",
    "CODE_HOST",
    "REPOSITORIES_ROOT",
    "GITHUB_API_URL",
    "GITHUB_READ_TOKEN",
    "CLAUDE_*",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "FILES_AT_ONCE",
    "ECONOMY_*",
    "LEASE_SECONDS",
    "MAX_FILE_BYTES",
    "ALLOW_UNSANDBOXED_COMMANDS",
    "COMMAND_*",
    "GIT_MEMORY_MB",
    "GIT_SECONDS",
    "SCRATCH",
    "COMMIT_AUTHOR",
    "COMMIT_EMAIL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL*",
    "OTEL_*",
)
"""Every variable that a worker reads; a test keeps the list complete."""


class BootstrapSettings(Struct, frozen=True, kw_only=True):
    """What to create, and under which names."""

    backend: BackendSettings
    batch: BatchSettings
    worker_image: Annotated[str, Meta(description="Image of the worker, for its AWS Batch job definition.")]
    worker_vcpus: Annotated[float, Meta(ge=0.25, le=192, description="vCPUs of one worker.")] = 1
    worker_memory_mb: Annotated[int, Meta(ge=128, le=1_000_000, description="Memory of one worker.")] = 2048
    worker_mounts: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^/[^:]*:/[^:]*(:ro)?$")], ...],
        Meta(description="Folders of the host for workers: /on/host:/in/container, with :ro read-only."),
    ] = ()
    worker_variables: Annotated[
        tuple[str, ...],
        Meta(description="Variables that workers get with their present values; names may end with *."),
    ] = WORKER_VARIABLES
    worker_job_role: Annotated[
        str | None, Meta(description="ARN of the role that workers have. Unset: none, as on emulators.")
    ] = None
    batch_compute_environment: Annotated[
        str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}$", description="AWS Batch compute environment.")
    ] = "cody-batch-compute"
    batch_service_role: Annotated[
        str | None,
        Meta(description="ARN of AWS Batch's own role. Unset: its service-linked role, or one made on an emulator."),
    ] = None


class Outcome(StrEnum):
    CREATED = "created"
    THERE = "there already"
    CHANGED = "changed"
    NOT_SUPPORTED = "not supported here"


class Step(Struct, frozen=True, kw_only=True):
    """`note` is for people: what they should know about it."""

    what: str
    outcome: Outcome
    note: str | None = None


async def bootstrap(
    settings: BootstrapSettings, environment: Mapping[str, str], *, really: bool, patience: float
) -> AsyncGenerator[Step]:
    """Create what is missing, one step after the other; run again, it changes nothing. Services are waited for,
    `patience` seconds each. `really`: also where a service is real AWS.

    `environment` has the variables that workers may get. Raises `SettingsError`, `Unavailable`.
    """
    from cody_backends.aws.bootstrap import create_everything

    async for step in create_everything(settings, environment, really=really, patience=patience):
        yield step
