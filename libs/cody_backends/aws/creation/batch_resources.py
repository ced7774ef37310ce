"""Create the compute environment, the job queue and the job definition."""

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, cast

from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.creation.job_definition import WorkerEnvironment, container_properties, is_same
from cody_backends.aws.creation.service_role import create_service_role
from cody_backends.aws.creation.waiting import until_ready
from cody_backends.aws.endpoints import is_real
from cody_backends.aws.errors import Refused
from cody_backends.bootstrap import BootstrapSettings, Outcome, Step
from cody_jobs.errors import SettingsError

if TYPE_CHECKING:
    from types_aiobotocore_batch.client import BatchClient

Told = Mapping[str, Any]


class BatchCreator:
    def __init__(self, aws: Aws, client: "BatchClient", calls: Calls, settings: BootstrapSettings) -> None:
        self._aws = aws
        self._client = client
        self._calls = calls
        self._settings = settings

    async def ping(self) -> None:
        await self._calls.once("DescribeJobQueues", lambda: self._client.describe_job_queues(maxResults=1))

    async def create(self, given: WorkerEnvironment) -> AsyncGenerator[Step]:
        yield await self._create_compute_environment()
        yield await self._create_queue()
        yield await self._register_definition(given)

    async def _create_compute_environment(self) -> Step:
        """Unmanaged: the host, or whoever emulates it, is there without AWS Batch."""
        name = self._settings.batch_compute_environment
        what = f"compute environment {name}"
        if await self._compute_environment(name):
            return Step(what=what, outcome=Outcome.THERE)
        try:
            await self._create_unmanaged(name, self._settings.batch_service_role)
        except Refused:
            if self._settings.batch_service_role or is_real(self._client.meta.endpoint_url):
                raise
            await self._create_unmanaged(name, await create_service_role(self._aws, self._client.meta.endpoint_url))
        await until_ready(what, lambda: self._is_valid(name))
        return Step(what=what, outcome=Outcome.CREATED, note=self._where_it_runs())

    async def _create_unmanaged(self, name: str, role: str | None) -> None:
        arguments: Any = {"serviceRole": role} if role else {}
        await self._calls.run(
            "CreateComputeEnvironment",
            lambda: self._client.create_compute_environment(
                computeEnvironmentName=name, type="UNMANAGED", state="ENABLED", **arguments
            ),
        )

    def _where_it_runs(self) -> str | None:
        if not is_real(self._client.meta.endpoint_url):
            return None
        return "it is unmanaged: workers run once container instances have joined its ECS cluster"

    async def _compute_environment(self, name: str) -> Told | None:
        told = await self._calls.run(
            "DescribeComputeEnvironments",
            lambda: self._client.describe_compute_environments(computeEnvironments=[name]),
        )
        found = told["computeEnvironments"]
        return cast("Told", found[0]) if found else None

    async def _is_valid(self, name: str) -> bool:
        found = await self._compute_environment(name)
        if found and found.get("status") == "INVALID":
            raise SettingsError(f"compute environment {name} is invalid: {found.get('statusReason')}")
        return bool(found) and found.get("status", "VALID") == "VALID"

    async def _create_queue(self) -> Step:
        name = self._settings.batch.batch_job_queue
        what = f"AWS Batch job queue {name}"
        if await self._queue(name):
            return Step(what=what, outcome=Outcome.THERE)
        order: Any = [{"order": 1, "computeEnvironment": self._settings.batch_compute_environment}]
        await self._calls.run(
            "CreateJobQueue",
            lambda: self._client.create_job_queue(
                jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order
            ),
        )
        await until_ready(what, lambda: self._takes_jobs(name))
        return Step(what=what, outcome=Outcome.CREATED)

    async def _queue(self, name: str) -> Told | None:
        told = await self._calls.run("DescribeJobQueues", lambda: self._client.describe_job_queues(jobQueues=[name]))
        return cast("Told", told["jobQueues"][0]) if told["jobQueues"] else None

    async def _takes_jobs(self, name: str) -> bool:
        found = await self._queue(name)
        return bool(found) and found.get("status", "VALID") == "VALID"

    async def _register_definition(self, given: WorkerEnvironment) -> Step:
        name = self._settings.batch.batch_job_definition.partition(":")[0]
        what = f"job definition {name}"
        wanted = container_properties(self._settings, given.variables)
        newest = await self._newest_definition(name)
        if newest and is_same(newest.get("containerProperties", {}), wanted):
            return Step(what=what, outcome=Outcome.THERE, note=_what_it_holds(given))
        properties: Any = wanted
        told = await self._calls.run(
            "RegisterJobDefinition",
            lambda: self._client.register_job_definition(
                jobDefinitionName=name, type="container", containerProperties=properties, propagateTags=True
            ),
        )
        outcome = Outcome.CHANGED if newest else Outcome.CREATED
        return Step(what=f"{what}, revision {told['revision']}", outcome=outcome, note=_what_it_holds(given))

    async def _newest_definition(self, name: str) -> Told | None:
        arguments: dict[str, Any] = {"jobDefinitionName": name, "status": "ACTIVE"}
        found: list[Told] = []
        while True:
            told = await self._calls.run(
                "DescribeJobDefinitions", lambda: self._client.describe_job_definitions(**arguments)
            )
            found += cast("list[Told]", told["jobDefinitions"])
            if (token := told.get("nextToken")) is None:
                return max(found, key=lambda definition: definition["revision"], default=None)
            arguments["nextToken"] = token


def _what_it_holds(given: WorkerEnvironment) -> str | None:
    if not given.secrets:
        return None
    return f"it holds in clear {', '.join(given.secrets)}: whoever may describe job definitions can read them"
