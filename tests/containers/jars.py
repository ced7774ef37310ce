"""`python -m tests.containers.jars folders|versions`: DynamoDB Local and ElasticMQ, as the other tests have them."""

import asyncio
import os
import sys

from tests.servers import dynamodb_local, elasticmq
from tests.servers.maven_jars import jars_of


def main(what: str) -> None:
    if what == "versions":
        print_lines(f"DynamoDB Local {dynamodb_local.VERSION}, ElasticMQ {elasticmq.VERSION}")
        return
    print_lines(*asyncio.run(folders()))


async def folders() -> list[str]:
    """Fetched through Maven, if they are not in the cache. Raises `ServerMissing`, `ServerFailed`."""
    artifacts = (dynamodb_local.ARTIFACT, elasticmq.ARTIFACT)
    return [str(await jars_of(artifact, os.environ)) for artifact in artifacts]


def print_lines(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1])
