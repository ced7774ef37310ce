"""The workers' job definition as data."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from cody_backends.bootstrap import BootstrapSettings
from cody_runtime.environment import is_credential

_DEFAULT_LOG_GROUP = "/aws/batch/job"
_SECRETS_WITH_OTHER_NAMES = frozenset({"DATABASE_URL"})


class WorkerEnvironment(Struct, frozen=True, kw_only=True):
    """`secrets` are the names of those variables whose values are secret."""

    variables: Mapping[str, str]
    secrets: tuple[str, ...]


def worker_environment(settings: BootstrapSettings, environment: Mapping[str, str]) -> WorkerEnvironment:
    """Every variable that is set and that `worker_variables` names. Workers are always of this family and region."""
    chosen = {
        name: value
        for name, value in environment.items()
        if value and any(fnmatchcase(name, pattern) for pattern in settings.worker_variables)
    }
    variables = {**chosen, "CODY_BACKEND": "aws", "AWS_REGION": str(settings.backend.aws.aws_region)}
    secrets = tuple(sorted(name for name in variables if is_credential(name) or name in _SECRETS_WITH_OTHER_NAMES))
    return WorkerEnvironment(variables=variables, secrets=secrets)


def container_properties(settings: BootstrapSettings, variables: Mapping[str, str]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "image": settings.worker_image,
        "resourceRequirements": [
            {"type": "VCPU", "value": f"{settings.worker_vcpus:g}"},
            {"type": "MEMORY", "value": str(settings.worker_memory_mb)},
        ],
        "environment": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        **_mounts(settings.worker_mounts),
    }
    if settings.worker_job_role:
        properties["jobRoleArn"] = settings.worker_job_role
    if settings.batch.batch_log_group != _DEFAULT_LOG_GROUP:
        options = {"awslogs-group": settings.batch.batch_log_group}
        properties["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    return properties


def is_same(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether everything that is wanted is so, whatever else AWS has added."""
    return _comparable(wanted, wanted) == _comparable(present, wanted)


def _mounts(mounts: tuple[str, ...]) -> dict[str, Any]:
    """From `/on/host:/in/container[:ro]`."""
    volumes: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for number, mount in enumerate(mounts):
        host, container, *access = mount.split(":")
        volumes.append({"name": f"folder-{number}", "host": {"sourcePath": host}})
        points.append({"sourceVolume": f"folder-{number}", "containerPath": container, "readOnly": bool(access)})
    return {"volumes": volumes, "mountPoints": points}


def _comparable(properties: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: properties.get(name) or None for name in {*wanted, "jobRoleArn"}}
    for name, key in (("environment", "name"), ("resourceRequirements", "type")):
        found[name] = sorted(properties.get(name) or (), key=lambda entry: entry[key])
    return found
