"""ElasticMQ, which speaks SQS, in memory, on loopback, with the limits of SQS."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.servers.aws_server import AwsServer
from tests.servers.java import Java, find_java, java_options
from tests.servers.maven_jars import Artifact, jars_of
from tests.servers.process import run_server

VERSION = "1.7.1"
ARTIFACT = Artifact(group="org.elasticmq", name="elasticmq-server_2.13", version=VERSION)

# The statistics would be one more listener, on a fixed port of every interface.
_SETTINGS = """\
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
rest-stats {{ enabled = false }}
"""


@asynccontextmanager
async def run_elasticmq(folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[AwsServer]:
    """`folder` is for its log and settings; `environment` is the person's own, for Maven. Raises ServerMissing,
    ServerFailed."""
    java = await find_java()
    jars = await jars_of(ARTIFACT, environment)
    async with run_server(lambda port: _command(java, jars, folder, port), folder) as url:
        yield AwsServer(url)


def _command(java: Java, jars: Path, folder: Path, port: int) -> Sequence[str]:
    settings = folder / "elasticmq.conf"
    settings.write_text(_SETTINGS.format(port=port))
    options = [*java_options(heap_megabytes=256), f"-Dconfig.file={settings}", "-cp", f"{jars}/*"]
    return [java.program, *options, "org.elasticmq.server.Main"]
