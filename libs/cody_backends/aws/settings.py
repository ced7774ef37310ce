"""Where the parts on AWS are. Addresses of emulators are botocore's own settings (`AWS_ENDPOINT_URL_DYNAMODB`, …)."""

from typing import Annotated

from msgspec import Meta, Struct

_TABLE = r"^[a-zA-Z0-9_.-]{3,255}$"
_BATCH = r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}(:[0-9]+)?$"
_QUEUE = r"^[a-zA-Z0-9_-]{1,80}$"

JobsTable = Annotated[str, Meta(pattern=_TABLE, description="With CODY_BACKEND=aws: DynamoDB table of jobs.")]
RunsTable = Annotated[
    str, Meta(pattern=_TABLE, description="With CODY_BACKEND=aws: DynamoDB table of runs, attempts and shards.")
]


class AwsSettings(Struct, frozen=True, kw_only=True):
    """What a program on AWS has to know. Credentials are found as AWS's own tools find them."""

    aws_region: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d+$")] | None,
        Meta(
            description="Region of tables, queues and AWS Batch; needed with CODY_BACKEND=aws.",
            extra={"names": ("AWS_REGION", "AWS_DEFAULT_REGION")},
        ),
    ] = None
    jobs_table: JobsTable = "cody-batch-jobs"
    runs_table: RunsTable = "cody-batch-runs"
    job_retention_days: Annotated[
        int, Meta(ge=1, le=3650, description="With CODY_BACKEND=aws: days after its end when DynamoDB drops a job.")
    ] = 180


class BatchSettings(Struct, frozen=True, kw_only=True):
    """Where AWS Batch runs workers: what the dispatcher has to know."""

    batch_job_queue: Annotated[
        str, Meta(pattern=_BATCH, description="With CODY_BACKEND=aws: AWS Batch job queue of the workers.")
    ] = "cody-batch-job-queue"
    batch_job_definition: Annotated[
        str, Meta(pattern=_BATCH, description="With CODY_BACKEND=aws: AWS Batch job definition of the workers.")
    ] = "cody-batch-job-definition"
    batch_log_group: Annotated[
        str,
        Meta(pattern=r"^[\w./#-]{1,512}$", description="With CODY_BACKEND=aws: log group that workers' logs go to."),
    ] = "/aws/batch/job"
    batch_events_queue: Annotated[
        Annotated[str, Meta(pattern=_QUEUE)] | None,
        Meta(
            description="With CODY_BACKEND=aws: SQS queue with Batch Job State Change events. Unset: Batch is polled.",
        ),
    ] = None
    worker_timeout_seconds: Annotated[
        int,
        Meta(ge=60, le=1_209_600, description="With CODY_BACKEND=aws: AWS Batch ends a worker after that long."),
    ] = 86_400
