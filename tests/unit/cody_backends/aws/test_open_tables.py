"""A program that cannot use its tables says what is wrong, where, and what to do."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from cody_backends.aws.definitions import BY_TIME, Key, Table, create_table_arguments, tables
from cody_backends.aws.errors import Missing
from cody_backends.aws.open_tables import open_tables
from cody_backends.aws.settings import AwsSettings
from cody_jobs.errors import SettingsError, Unavailable
from cody_stand_ins.relay import relay_to
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import environment_of
from tests.support.dynamodb_tables import create_tables
from tests.support.wait import wait_until

NOBODY = "http://127.0.0.1:1"


async def open_at(url: str, settings: AwsSettings, *, patience: float = 0.0) -> None:
    """As a program does."""
    with environment_of(AwsServer(url).environment("dynamodb")):
        async with open_tables(settings, patience=patience) as opened:
            await opened.ping()


def settings_of(server: AwsServer) -> AwsSettings:
    return AwsSettings(aws_region=REGION, jobs_table=server.unused_name("jobs"), runs_table=server.unused_name("runs"))


@asynccontextmanager
async def endpoint(status: int, body: Any, *, content_type: str = "application/x-amz-json-1.0") -> AsyncGenerator[str]:
    """Something that answers every request so."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type=content_type)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def refusal(code: str, message: str) -> bytes:
    return msgspec.json.encode({"__type": f"com.amazon.coral.service#{code}", "Message": message})


async def test_tables_that_are_there_are_opened(moto_server: AwsServer) -> None:
    async with moto_server.dynamodb() as client, create_tables(client, moto_server) as settings:
        await open_at(moto_server.url, settings)


async def test_an_endpoint_that_is_not_reached_is_named_with_its_settings() -> None:
    with pytest.raises(Unavailable, match=rf"table cody-batch-jobs .*{REGION}.*{NOBODY}.*AWS_ENDPOINT_URL_DYNAMODB"):
        await open_at(NOBODY, AwsSettings(aws_region=REGION))


async def test_no_region_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION is not set"):
        await open_at(NOBODY, AwsSettings())


@pytest.mark.parametrize(("lacking", "variable"), [(0, "JOBS_TABLE"), (1, "RUNS_TABLE")])
async def test_a_missing_table_is_named_with_its_setting(moto_server: AwsServer, lacking: int, variable: str) -> None:
    settings = settings_of(moto_server)
    missing = tables(settings)[lacking]
    async with moto_server.dynamodb() as client:
        for table in tables(settings):
            if table is not missing and table.name != missing.name:
                await client.create_table(**create_table_arguments(table))

    with pytest.raises(Missing, match=rf"has no table {missing.name}: .*AWS_REGION.*{variable}.*ops bootstrap"):
        await open_at(moto_server.url, settings)


async def test_a_wrong_region_is_named(moto_server: AwsServer) -> None:
    async with moto_server.dynamodb() as client, create_tables(client, moto_server) as settings:
        elsewhere = msgspec.structs.replace(settings, aws_region="us-east-1")

        with pytest.raises(Missing, match=r"DynamoDB in us-east-1 .* has no table .*AWS_REGION"):
            await open_at(moto_server.url, elsewhere)


async def test_a_missing_permission_is_named() -> None:
    said = "User: arn:aws:sts::1:assumed-role/worker is not authorized to perform: dynamodb:DescribeTable"
    async with endpoint(400, refusal("AccessDeniedException", said)) as url:
        with pytest.raises(SettingsError, match=f"not permitted: {said}.*role"):
            await open_at(url, AwsSettings(aws_region=REGION), patience=60)


async def test_credentials_that_are_refused_are_named() -> None:
    async with endpoint(400, refusal("UnrecognizedClientException", "The security token is invalid")) as url:
        with pytest.raises(SettingsError, match="credentials refused"):
            await open_at(url, AwsSettings(aws_region=REGION), patience=60)


@pytest.mark.parametrize(("status", "body"), [(404, b"<h1>Not Found</h1>"), (200, b"<h1>Welcome</h1>"), (200, b"{}")])
async def test_an_endpoint_that_is_something_else_is_named(status: int, body: bytes) -> None:
    async with endpoint(status, body, content_type="text/html") as url:
        with pytest.raises(SettingsError, match=rf"{url}.*AWS_ENDPOINT_URL_DYNAMODB"):
            await open_at(url, AwsSettings(aws_region=REGION), patience=60)


async def create(server: AwsServer, settings: AwsSettings, *, jobs: Mapping[str, Any]) -> None:
    """The runs table as it should be, the jobs table with these differences."""
    of_jobs, of_runs = tables(settings)
    async with server.dynamodb() as client:
        await client.create_table(**create_table_arguments(msgspec.structs.replace(of_jobs, **jobs)))
        await client.create_table(**create_table_arguments(of_runs))


async def test_a_table_of_an_older_version_is_named_with_the_indexes_that_it_lacks(moto_server: AwsServer) -> None:
    settings = settings_of(moto_server)
    await create(moto_server, settings, jobs={"indexes": (BY_TIME,)})

    with pytest.raises(SettingsError, match=rf"{settings.jobs_table}.*another version: by-status, by-step.*bootstrap"):
        await open_at(moto_server.url, settings)


async def test_an_index_with_another_key_is_named(moto_server: AwsServer) -> None:
    settings = settings_of(moto_server)
    other = msgspec.structs.replace(BY_TIME, sort=Key(name="updatedAt"))
    indexes = (other, *tables(settings)[0].indexes[1:])
    await create(moto_server, settings, jobs={"indexes": indexes})

    with pytest.raises(SettingsError, match=rf"{settings.jobs_table}.*by-time"):
        await open_at(moto_server.url, settings)


async def test_a_table_of_another_program_is_named_at_once(moto_server: AwsServer) -> None:
    settings = settings_of(moto_server)
    await create(moto_server, settings, jobs={"partition": Key(name="pk"), "sort": Key(name="sk")})

    with pytest.raises(SettingsError, match=rf"{settings.jobs_table}.*the key pk, sk instead of jobId"):
        await open_at(moto_server.url, settings, patience=60)


async def test_tables_that_come_while_they_are_waited_for_are_opened(moto_server: AwsServer) -> None:
    settings = settings_of(moto_server)
    async with relay_to(moto_server.url) as relay:
        opening = asyncio.create_task(open_at(relay.url, settings, patience=60))

        async def asked(times: int) -> bool:
            return (await relay.stats()).calls.get("DescribeTable", 0) >= times

        await wait_until(lambda: asked(1), "the program has looked for its tables")
        await create(moto_server, settings, jobs={})
        await opening


def test_definitions_name_each_key_once() -> None:
    """CreateTable refuses attributes that no key uses, and those named twice."""
    table = Table(name="jobs", partition=Key(name="jobId"), indexes=(BY_TIME, BY_TIME))
    arguments = create_table_arguments(table)
    assert [definition["AttributeName"] for definition in arguments["AttributeDefinitions"]] == [
        "jobId",
        "listing",
        "createdAt",
    ]
