"""Read a SubmitJob call: what AWS would refuse is refused."""

import re
from collections.abc import Mapping
from typing import Any

from cody_stand_ins.batch.jobs import JobPlan
from cody_stand_ins.batch.logs import GROUP
from cody_stand_ins.batch.refusal import client_error
from cody_stand_ins.batch.resources import Resource, Resources
from cody_stand_ins.batch.retrying import read_retry_strategy

Body = Mapping[str, Any]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_PAYLOAD_BYTES = 30 * 1024
_SHORTEST_TIMEOUT = 60


def read_submission(body: Body, payload: int, resources: Resources) -> tuple[JobPlan, int | None]:
    """The plan, and the size of an array job. `payload` is the length of the request in bytes."""
    _check(body, payload)
    queue, definition = resources.queue(str(body["jobQueue"])), resources.definition(str(body["jobDefinition"]))
    container: Body = definition["containerProperties"]
    overrides: Body = body.get("containerOverrides", {})
    parameters = {**definition.get("parameters", {}), **body.get("parameters", {})}
    command = overrides.get("command") or container.get("command", [])
    timeout: Body = body.get("timeout") or definition.get("timeout") or {}
    plan = JobPlan(
        name=str(body["jobName"]),
        queue=queue,
        definition=definition,
        environment_name=resources.environment_of(queue),
        command=tuple(_filled_in(argument, parameters) for argument in command),
        environment={**_pairs(container), **_pairs(overrides)},
        vcpus=_vcpus(container, overrides),
        retry=read_retry_strategy(body.get("retryStrategy") or definition.get("retryStrategy")),
        timeout=timeout.get("attemptDurationSeconds"),
        tags=_tags(body, definition),
        log_group=_log_group(container),
    )
    size = body.get("arrayProperties", {}).get("size")
    return plan, None if size is None else int(size)


def _check(body: Body, payload: int) -> None:
    if payload > _PAYLOAD_BYTES:
        raise client_error(f"Request payload of {payload} bytes exceeds the limit of 30 KiB.")
    if not _NAME.fullmatch(str(body.get("jobName", ""))):
        raise client_error("Job name should match valid pattern")
    size = body.get("arrayProperties", {}).get("size")
    if size is not None and not 2 <= int(size) <= 10_000:
        raise client_error("Array size must be between 2 and 10000.")
    timeout: Body = body.get("timeout") or {}
    if timeout.get("attemptDurationSeconds", _SHORTEST_TIMEOUT) < _SHORTEST_TIMEOUT:
        raise client_error("attemptDurationSeconds must be at least 60 seconds.")
    if any(name.startswith("AWS_BATCH") for name in _pairs(body.get("containerOverrides", {}))):
        raise client_error("Environment variables must not start with AWS_BATCH.")


def _filled_in(argument: str, parameters: Mapping[str, str]) -> str:
    name = argument.removeprefix("Ref::")
    return parameters.get(name, argument) if argument.startswith("Ref::") else argument


def _pairs(container: Body) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in container.get("environment", [])}


def _vcpus(container: Body, overrides: Body) -> float:
    found = {
        requirement["type"]: requirement["value"]
        for requirement in (*container.get("resourceRequirements", []), *overrides.get("resourceRequirements", []))
    }
    return float(found.get("VCPU", container.get("vcpus", 1)))


def _tags(body: Body, definition: Resource) -> dict[str, str]:
    return {**definition.get("tags", {}), **body.get("tags", {})}


def _log_group(container: Body) -> str:
    options = container.get("logConfiguration", {}).get("options", {})
    return str(options.get("awslogs-group", GROUP))
