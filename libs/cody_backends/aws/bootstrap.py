"""Create everything on AWS, or on what takes its place: run again, it changes nothing."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from msgspec import Struct

from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.creation.batch_resources import BatchCreator
from cody_backends.aws.creation.job_definition import WorkerEnvironment, worker_environment
from cody_backends.aws.creation.log_group import LogGroupCreator
from cody_backends.aws.creation.queues import QueueCreator
from cody_backends.aws.creation.tables import TableCreator
from cody_backends.aws.definitions import queues, tables
from cody_backends.aws.endpoints import is_real
from cody_backends.bootstrap import BootstrapSettings, Step
from cody_jobs.errors import SettingsError
from cody_runtime.waiting import wait_for

_OPERATION_PATIENCE = 30.0


class _Service(Struct, frozen=True, kw_only=True):
    """`variable` is AWS's own, which says where the service is."""

    name: str
    variable: str
    endpoint: str
    ping: Callable[[], Awaitable[None]]


async def create_everything(
    settings: BootstrapSettings, environment: Mapping[str, str], *, really: bool, patience: float
) -> AsyncGenerator[Step]:
    """See `cody_backends.bootstrap.bootstrap`."""
    aws = Aws(settings.backend.aws)
    async with AsyncExitStack() as opened:
        dynamodb = await opened.enter_async_context(aws.dynamodb())
        sqs = await opened.enter_async_context(aws.sqs())
        logs = await opened.enter_async_context(aws.logs())
        batch = await opened.enter_async_context(aws.batch())
        table_creator = TableCreator(dynamodb, _calls(aws, "DynamoDB"))
        queue_creator = QueueCreator(sqs, _calls(aws, "SQS"))
        log_creator = LogGroupCreator(logs, _calls(aws, "CloudWatch Logs"))
        batch_creator = BatchCreator(aws, batch, _calls(aws, "AWS Batch"), settings)
        services = (
            _service("DynamoDB", "DYNAMODB", dynamodb.meta.endpoint_url, table_creator.ping),
            _service("SQS", "SQS", sqs.meta.endpoint_url, queue_creator.ping),
            _service("CloudWatch Logs", "CLOUDWATCH_LOGS", logs.meta.endpoint_url, log_creator.ping),
            _service("AWS Batch", "BATCH", batch.meta.endpoint_url, batch_creator.ping),
        )
        _guard_real(aws, services, really=really)
        given = worker_environment(settings, environment)
        _guard_secrets(services, given)
        for service in services:
            await wait_for(f"{service.name} ({service.variable})", service.ping, patience=patience)
        for table in tables(settings.backend.aws):
            async for step in table_creator.create(table):
                yield step
        for queue in queues():
            yield await queue_creator.create(queue)
        yield await log_creator.create(settings.batch.batch_log_group)
        async for step in batch_creator.create(given):
            yield step


def _calls(aws: Aws, service: str) -> Calls:
    return Calls(aws.name_of(service), patience=_OPERATION_PATIENCE)


def _service(name: str, variable: str, endpoint: str, ping: Callable[[], Awaitable[None]]) -> _Service:
    return _Service(name=name, variable=f"AWS_ENDPOINT_URL_{variable}", endpoint=endpoint, ping=ping)


def _guard_real(aws: Aws, services: Sequence[_Service], *, really: bool) -> None:
    real = [service for service in services if is_real(service.endpoint)]
    if real and not really:
        raise SettingsError(
            f"{' and '.join(service.name for service in real)} would be real AWS in {aws.region}: set "
            f"{', '.join(service.variable for service in real)} to emulators. For a sandbox account say --really; "
            "production is made by infrastructure code"
        )


def _guard_secrets(services: Sequence[_Service], given: WorkerEnvironment) -> None:
    """A job definition is no place for secrets where others can read it."""
    if given.secrets and any(is_real(service.endpoint) for service in services if service.name == "AWS Batch"):
        raise SettingsError(
            f"{', '.join(given.secrets)}: a job definition on real AWS must not hold secrets. Leave them out of "
            "WORKER_VARIABLES; workers get a role (WORKER_JOB_ROLE) and AWS Secrets Manager's values"
        )
