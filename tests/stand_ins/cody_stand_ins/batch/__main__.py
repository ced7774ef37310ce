"""`python -m cody_stand_ins.batch`: serve until SIGTERM, SIGINT or the end of standard input; jobs end with it."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from cody_stand_ins.batch.events import EventSender
from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.server import BatchServer
from cody_stand_ins.serve import serve


def main(arguments: Sequence[str]) -> int:
    asyncio.run(_run(_options(arguments)))
    return 0


async def _run(options: Options) -> None:
    async with EventSender(options) as events:
        server = BatchServer(options, events.tell)
        try:
            await serve(server)
        finally:
            await server.aclose()


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="cody_stand_ins.batch", description="A stand-in for AWS Batch. Prints its URL, then serves."
    )
    parser.add_argument(
        "--entrypoint",
        action="append",
        metavar="ARG",
        help="what Python is started with in place of the image's entry point; repeatable (default: -m cody_worker)",
    )
    parser.add_argument("--environment", action="append", default=[], metavar="NAME=VALUE", help="for every process")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds from SIGTERM to SIGKILL")
    parser.add_argument("--places", type=float, help="vCPUs, in place of maxvCpus; 0 keeps all jobs RUNNABLE")
    parser.add_argument(
        "--no-array-index", action="store_true", help="leave AWS_BATCH_JOB_ARRAY_INDEX out, as moto does"
    )
    parser.add_argument("--events-queue", metavar="URL", help="SQS queue that job state changes are told to")
    parser.add_argument("--region", default="eu-central-1")
    found = parser.parse_args(arguments)
    return Options(
        entrypoint=tuple(found.entrypoint or ("-m", "cody_worker")),
        environment=dict(pair.split("=", 1) for pair in found.environment),
        grace=found.grace,
        places=found.places,
        array_index=not found.no_array_index,
        events_queue=found.events_queue,
        region=found.region,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
