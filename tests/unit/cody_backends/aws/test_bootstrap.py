"""What `ops bootstrap` creates, changes and leaves alone."""

from collections.abc import AsyncGenerator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from cody_backends.aws.creation.job_definition import container_properties, worker_environment
from cody_backends.aws.definitions import create_table_arguments, tables
from cody_backends.aws.settings import AwsSettings, BatchSettings
from cody_backends.bootstrap import WORKER_VARIABLES, BootstrapSettings, Outcome, Step, bootstrap
from cody_backends.settings import BackendSettings
from cody_jobs.errors import SettingsError, Unavailable
from cody_runtime.program import RuntimeSettings
from cody_runtime.settings import describe_settings, load_settings
from cody_stand_ins.batch import BatchStandIn
from cody_worker.settings import WorkerSettings
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import delete_queues, environment_of

SERVICES = ("dynamodb", "sqs", "batch", "cloudwatch_logs")
REALLY_SET = {"CLAUDE_API_KEY": "sk-ant-example-key", "REPOSITORIES_ROOT": "/repositories", "PATH": "/usr/bin"}


def settings_for(server: AwsServer, **changes: Any) -> BootstrapSettings:
    """With tables and Batch resources of its own; the queues have one name everywhere."""
    given: dict[str, Any] = {
        "backend": BackendSettings(
            aws=AwsSettings(
                aws_region=REGION, jobs_table=server.unused_name("jobs"), runs_table=server.unused_name("runs")
            )
        ),
        "batch": BatchSettings(
            batch_job_queue=server.unused_name("queue"), batch_job_definition=server.unused_name("definition")
        ),
        "batch_compute_environment": server.unused_name("compute"),
        "worker_image": "localhost/cody-batch-worker:dev",
    }
    return BootstrapSettings(**{**given, **changes})


async def run(
    settings: BootstrapSettings, environment: Mapping[str, str] = REALLY_SET, *, really: bool = False
) -> dict[str, Step]:
    steps = [step async for step in bootstrap(settings, environment, really=really, patience=0)]
    assert len({step.what for step in steps}) == len(steps)
    return {step.what: step for step in steps}


@pytest.fixture
async def moto(moto_server: AwsServer) -> AsyncGenerator[AwsServer]:
    with environment_of(moto_server.environment(*SERVICES)):
        yield moto_server
    await delete_queues(moto_server)


async def test_a_second_time_changes_nothing(moto: AwsServer) -> None:
    settings = settings_for(moto)
    first = await run(settings)
    tables_of = (settings.backend.aws.jobs_table, settings.backend.aws.runs_table)
    for table in tables_of:
        assert first[f"table {table}"].outcome is Outcome.CREATED
        assert first[f"expiry of items in {table}"].outcome is Outcome.CREATED
        assert first[f"point-in-time recovery of {table}"].outcome is Outcome.CREATED
    second = await run(settings)
    assert {step.outcome for step in second.values()} == {Outcome.THERE}


async def test_emulators_that_do_less_are_enough(
    dynamodb_local: AwsServer, elasticmq: AwsServer, batch: BatchStandIn
) -> None:
    """Of backups DynamoDB Local knows nothing; the stand-in wants no role."""
    batch_server = AwsServer(batch.url)
    with environment_of(
        {
            **dynamodb_local.environment("dynamodb"),
            **elasticmq.environment("sqs"),
            **batch_server.environment("batch", "cloudwatch_logs"),
        }
    ):
        settings = settings_for(dynamodb_local)
        first = await run(settings)
        unsupported = {what for what, step in first.items() if step.outcome is Outcome.NOT_SUPPORTED}
        assert unsupported == {
            f"point-in-time recovery of {table}"
            for table in (settings.backend.aws.jobs_table, settings.backend.aws.runs_table)
        }
        second = await run(settings)
        assert {step.outcome for step in second.values()} == {Outcome.THERE, Outcome.NOT_SUPPORTED}
    await delete_queues(elasticmq)


async def test_a_missing_index_of_an_older_table_is_added(moto: AwsServer) -> None:
    settings = settings_for(moto)
    jobs, _ = tables(settings.backend.aws)
    arguments = create_table_arguments(jobs)
    arguments["GlobalSecondaryIndexes"] = arguments["GlobalSecondaryIndexes"][:1]
    used = {key["AttributeName"] for key in arguments["GlobalSecondaryIndexes"][0]["KeySchema"]} | {"jobId"}
    arguments["AttributeDefinitions"] = [
        attribute for attribute in arguments["AttributeDefinitions"] if attribute["AttributeName"] in used
    ]
    async with moto.dynamodb() as dynamodb:
        await dynamodb.create_table(**arguments)
    steps = await run(settings)
    assert steps[f"table {jobs.name}"].outcome is Outcome.THERE
    added = {what for what, step in steps.items() if what.startswith("index") and step.outcome is Outcome.CREATED}
    assert added == {f"index {index.name} of {jobs.name}" for index in jobs.indexes[1:]}
    assert {step.outcome for step in (await run(settings)).values()} == {Outcome.THERE}


async def test_a_table_with_another_key_is_left_alone(moto: AwsServer) -> None:
    settings = settings_for(moto)
    async with moto.dynamodb() as dynamodb:
        await dynamodb.create_table(
            TableName=settings.backend.aws.jobs_table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    with pytest.raises(SettingsError, match=r"has another key \(id instead of jobId\)"):
        await run(settings)


async def test_a_queue_that_is_set_otherwise_is_changed(moto: AwsServer) -> None:
    settings = settings_for(moto)
    await run(settings)
    async with moto.sqs() as sqs:
        url = (await sqs.get_queue_url(QueueName="cody-batch-job-queue"))["QueueUrl"]
        await sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    changed = {step.what for step in (await run(settings)).values() if step.outcome is Outcome.CHANGED}
    assert changed == {"queue cody-batch-job-queue"}


async def test_a_changed_job_definition_is_a_new_revision(moto: AwsServer) -> None:
    settings = settings_for(moto)
    await run(settings)
    what = f"job definition {settings.batch.batch_job_definition}"
    steps = await run(settings, {**REALLY_SET, "FILES_AT_ONCE": "3"})
    assert steps[f"{what}, revision 2"].outcome is Outcome.CHANGED
    steps = await run(settings)
    assert steps[f"{what}, revision 3"].outcome is Outcome.CHANGED
    note = steps[f"{what}, revision 3"].note
    assert note is not None
    assert "it holds in clear CLAUDE_API_KEY" in note
    assert "sk-ant" not in note


def test_workers_get_what_they_read_and_nothing_else() -> None:
    settings = settings_for(AwsServer("http://127.0.0.1"))
    environment = {
        **REALLY_SET,
        "GITHUB_TOKEN": "t",
        "OTEL_SERVICE_NAME": "x",
        "AWS_ENDPOINT_URL_SQS": "http://sqs",
        "CLAUDE_BASE_URL": "",
        "CODY_BACKEND": "postgres",
    }
    given = worker_environment(settings, environment)
    assert given.variables == {
        "CLAUDE_API_KEY": "sk-ant-example-key",
        "REPOSITORIES_ROOT": "/repositories",
        "OTEL_SERVICE_NAME": "x",
        "AWS_ENDPOINT_URL_SQS": "http://sqs",
        "CODY_BACKEND": "aws",
        "AWS_REGION": REGION,
    }
    assert given.secrets == ("CLAUDE_API_KEY",)


def test_every_setting_of_a_worker_is_handed_through() -> None:
    settings = (*describe_settings(RuntimeSettings), *describe_settings(WorkerSettings))
    names = {name for setting in settings for name in setting.names}
    missing = {name for name in names if not any(fnmatchcase(name, pattern) for pattern in WORKER_VARIABLES)}
    assert not missing


def test_folders_of_the_host_are_mounted() -> None:
    settings = settings_for(
        AwsServer("http://127.0.0.1"), worker_mounts=("/srv/repositories:/repositories:ro", "/srv/work:/work")
    )
    properties = container_properties(settings, {})
    assert properties["volumes"] == [
        {"name": "folder-0", "host": {"sourcePath": "/srv/repositories"}},
        {"name": "folder-1", "host": {"sourcePath": "/srv/work"}},
    ]
    assert properties["mountPoints"] == [
        {"sourceVolume": "folder-0", "containerPath": "/repositories", "readOnly": True},
        {"sourceVolume": "folder-1", "containerPath": "/work", "readOnly": False},
    ]


def test_a_mount_that_is_none_is_named() -> None:
    environment = {"AWS_REGION": REGION, "WORKER_IMAGE": "image", "WORKER_MOUNTS": "repositories:/repositories"}
    with pytest.raises(SettingsError, match="WORKER_MOUNTS"):
        load_settings(BootstrapSettings, environment)


async def test_real_aws_is_left_alone_unless_it_is_meant(moto_server: AwsServer) -> None:
    with (
        environment_of(moto_server.environment("dynamodb", "sqs")),
        pytest.raises(
            SettingsError, match=r"CloudWatch Logs and AWS Batch would be real AWS in eu-central-1.*--really"
        ),
    ):
        await run(settings_for(moto_server))


async def test_secrets_never_get_into_a_job_definition_on_real_aws(moto_server: AwsServer) -> None:
    with (
        environment_of(moto_server.environment("dynamodb", "sqs", "cloudwatch_logs")),
        pytest.raises(SettingsError, match="CLAUDE_API_KEY: a job definition on real AWS must not hold secrets"),
    ):
        await run(settings_for(moto_server), really=True)


async def test_a_service_that_is_away_is_named(moto: AwsServer) -> None:
    with (
        environment_of({"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"}),
        pytest.raises(Unavailable, match="SQS in eu-central-1"),
    ):
        await run(settings_for(moto))


async def test_a_region_is_needed(moto: AwsServer) -> None:
    with pytest.raises(SettingsError, match="AWS_REGION is not set"):
        await run(settings_for(moto, backend=BackendSettings()))
