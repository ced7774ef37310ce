"""Amazon's DynamoDB Local, in memory.

It binds every interface and has no option for another. Where Java can compile, a few lines of Java start it on
loopback alone; a runtime without compiler starts it as it is: there whoever reaches the machine reaches the tests'
tables while they run.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.servers.aws_server import AwsServer
from tests.servers.java import Java, find_java, java_options
from tests.servers.maven_jars import Artifact, jars_of
from tests.servers.process import run_server

VERSION = "2.6.1"
ARTIFACT = Artifact(group="com.amazonaws", name="DynamoDBLocal", version=VERSION)
_AS_IT_IS = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
_ON_LOOPBACK = str(Path(__file__).with_name("DynamoDbOnLoopback.java"))


@asynccontextmanager
async def run_dynamodb_local(folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[AwsServer]:
    """`folder` is for its log; `environment` is the person's own, for Maven. Raises ServerMissing, ServerFailed."""
    java = await find_java()
    jars = await jars_of(ARTIFACT, environment)
    async with run_server(lambda port: _command(java, jars, port), folder) as url:
        yield AwsServer(url)


def _command(java: Java, jars: Path, port: int) -> Sequence[str]:
    """-sharedDb: the same tables whatever the key and the region. Without -disableTelemetry it calls Amazon."""
    options = [*java_options(heap_megabytes=256), f"-Djava.library.path={jars}", "-cp", f"{jars}/*"]
    program = _ON_LOOPBACK if java.can_compile else _AS_IT_IS
    return [java.program, *options, program, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
