"""The SubmitJob call for one attempt."""

import re
from collections.abc import Mapping
from typing import Any

from cody_backends.aws.settings import BatchSettings
from cody_jobs.ports.compute import EXIT_TRY_AGAIN, ComputeRequest

ATTEMPTS = 3
"""Of one shard within one attempt of ours. A shard that fails after that gets a new attempt from the dispatcher."""
_NAME_CHARACTERS = 128
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_RETRIES = (
    {"onExitCode": str(EXIT_TRY_AGAIN), "action": "RETRY"},
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
    # What matches no entry would be retried.
    {"onReason": "*", "action": "EXIT"},
)


def submission(request: ComputeRequest, settings: BatchSettings) -> Mapping[str, Any]:
    """An array job of at most 10,000 children, which is AWS's limit; of one shard a plain job: an array has two
    children at least. Its size does not depend on the number of shards."""
    arguments: dict[str, Any] = {
        "jobName": job_name(request.job_id, request.attempt),
        "jobQueue": settings.batch_job_queue,
        "jobDefinition": settings.batch_job_definition,
        "containerOverrides": {
            "command": ["--job-id", request.job_id, "--attempt", str(request.attempt)],
            "environment": [{"name": name, "value": value} for name, value in request.environment.items()],
        },
        "retryStrategy": {"attempts": ATTEMPTS, "evaluateOnExit": list(_RETRIES)},
        "timeout": {"attemptDurationSeconds": settings.worker_timeout_seconds},
        "tags": {"cody:job-id": request.job_id, "cody:attempt": str(request.attempt)},
        "propagateTags": True,
    }
    if request.shards > 1:
        arguments["arrayProperties"] = {"size": request.shards}
    return arguments


def job_name(job_id: str, attempt: int) -> str:
    """For people: AWS Batch identifies jobs by ids of its own."""
    end = f"-{attempt}"
    return _NOT_IN_NAMES.sub("-", job_id)[: _NAME_CHARACTERS - len(end)] + end
