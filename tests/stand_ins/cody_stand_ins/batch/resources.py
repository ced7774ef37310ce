"""Compute environments, job queues and job definitions."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.refusal import client_error

Body = Mapping[str, Any]
Resource = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_DEFAULT_PLACES = 256.0


class Resources:
    """What jobs are submitted to. Names and ARNs both work, as on AWS."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._environments: dict[str, Resource] = {}
        self._queues: dict[str, Resource] = {}
        self._definitions: dict[str, list[Resource]] = {}
        self.places = options.places
        self.operations: Mapping[str, Callable[[Body], Body]] = {
            "CreateComputeEnvironment": self._create_environment,
            "DescribeComputeEnvironments": self._describe_environments,
            "DeleteComputeEnvironment": self._delete_environment,
            "CreateJobQueue": self._create_queue,
            "DescribeJobQueues": self._describe_queues,
            "RegisterJobDefinition": self._register_definition,
            "DescribeJobDefinitions": self._describe_definitions,
        }

    def queue(self, name: str) -> Resource:
        found = self._queues.get(_bare(name))
        if found is None:
            raise client_error(f"Job queue {name} does not exist.")
        return found

    def definition(self, name: str) -> Resource:
        """The newest revision, or the one that `name:revision` says."""
        bare, _, revision = _bare(name).partition(":")
        known = self._definitions.get(bare, [])
        if not known or (revision and not 1 <= int(revision) <= len(known)):
            raise client_error(f"Job definition {name} not found.")
        return known[int(revision) - 1] if revision else known[-1]

    def vcpus_of_all(self) -> float:
        """How many vCPUs can be used at a time."""
        if self.places is not None:
            return self.places
        managed = [found.get("computeResources") for found in self._environments.values()]
        return sum(float(resources["maxvCpus"]) if resources else _DEFAULT_PLACES for resources in managed)

    def environment_of(self, queue: Resource) -> str:
        """Name of the first compute environment of this queue."""
        return _bare(str(queue["computeEnvironmentOrder"][0]["computeEnvironment"]))

    def _create_environment(self, body: Body) -> Body:
        name = _checked_name(body, "computeEnvironmentName")
        if name in self._environments:
            raise client_error(f"Object already exists: {name}")
        arn = self._options.arn(f"compute-environment/{name}")
        resource = {"state": "ENABLED", **body, "computeEnvironmentArn": arn, "status": "VALID", "ecsClusterArn": ""}
        if "computeResources" not in body and body.get("type") == "MANAGED":
            raise client_error("computeResources must be specified for MANAGED compute environments.")
        self._environments[name] = resource
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def _describe_environments(self, body: Body) -> Body:
        return {"computeEnvironments": _named(self._environments, body.get("computeEnvironments"))}

    def _delete_environment(self, body: Body) -> Body:
        name = _bare(str(body["computeEnvironment"]))
        if any(self.environment_of(queue) == name for queue in self._queues.values()):
            raise client_error("Cannot delete, found existing JobQueue relationship")
        self._environments.pop(name, None)
        return {}

    def _create_queue(self, body: Body) -> Body:
        name = _checked_name(body, "jobQueueName")
        if name in self._queues:
            raise client_error(f"Object already exists: {name}")
        order = [str(place["computeEnvironment"]) for place in body["computeEnvironmentOrder"]]
        missing = [place for place in order if _bare(place) not in self._environments]
        if missing or not order:
            raise client_error(f"Compute environment {', '.join(missing)} does not exist.")
        arn = self._options.arn(f"job-queue/{name}")
        self._queues[name] = {"state": "ENABLED", **body, "jobQueueArn": arn, "status": "VALID"}
        return {"jobQueueName": name, "jobQueueArn": arn}

    def _describe_queues(self, body: Body) -> Body:
        return {"jobQueues": _named(self._queues, body.get("jobQueues"))}

    def _register_definition(self, body: Body) -> Body:
        name = _checked_name(body, "jobDefinitionName")
        if body.get("type") != "container" or not body.get("containerProperties", {}).get("image"):
            raise client_error("Error executing request, Exception : Container properties with an image are required.")
        known = self._definitions.setdefault(name, [])
        revision = len(known) + 1
        arn = self._options.arn(f"job-definition/{name}:{revision}")
        known.append({**body, "jobDefinitionArn": arn, "revision": revision, "status": "ACTIVE"})
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def _describe_definitions(self, body: Body) -> Body:
        every = [found for known in self._definitions.values() for found in known]
        if name := body.get("jobDefinitionName"):
            every = self._definitions.get(str(name), [])
        if wanted := body.get("jobDefinitions"):
            every = [found for found in every if _bare(found["jobDefinitionArn"]) in {_bare(name) for name in wanted}]
        return {"jobDefinitions": every}


def _checked_name(body: Body, field: str) -> str:
    name = str(body.get(field, ""))
    if not _NAME.fullmatch(name):
        raise client_error(f"{field} should match the pattern ^[A-Za-z0-9]{{1}}[A-Za-z0-9_-]{{0,127}}$")
    return name


def _named(resources: Mapping[str, Resource], names: Sequence[str] | None) -> list[Resource]:
    """Those with these names or ARNs; all of them without names; unknown ones are left out."""
    if not names:
        return list(resources.values())
    return [resources[_bare(name)] for name in names if _bare(name) in resources]


def _bare(name: str) -> str:
    """The name in an ARN; a name itself stays."""
    return name.rpartition("/")[2] if name.startswith("arn:") else name
