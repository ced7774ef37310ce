"""Every command of docs/runbook-aws.md works: its `sh` blocks are run, in their order, against a system on emulators.

`JOB` is a job that failed because the Claude key was refused; in the end it has been set back and has succeeded.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from cody_stand_ins.claude import ClaudeStandIn
from cody_stand_ins.claude.faults import Fault, FaultKind
from tests.servers.aws_server import AwsServer
from tests.story.aws import emulators_of_aws, environment_on_aws, running_on_aws
from tests.support.repositories import make_repository

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook-aws.md"
_BLOCK = re.compile(r"^```sh *\S*\n(.*?)^```$", re.M | re.S)
# Version 1 of the AWS command line, the one that is a Python package, takes no endpoint for SQS from the environment.
_AWS = (
    """aws() { if [ "$1" = sqs ]; then set -- --endpoint-url "$AWS_ENDPOINT_URL_SQS" "$@"; fi; command aws "$@"; }\n"""
)
_STRICT = "set -euo pipefail; trap 'echo \"exit code $? of: $BASH_COMMAND\"' ERR\n"


async def test_every_command_of_the_runbook_works(
    dynamodb_local: AwsServer,
    elasticmq: AwsServer,
    database_url: str,
    stand_in: ClaudeStandIn,
    repositories: Path,
    tmp_path: Path,
) -> None:
    make_repository(repositories / "acme" / "web", {"a.py": b"x: Optional[int] = None\n"})
    environment = environment_on_aws(database_url, stand_in, repositories)
    async with (
        emulators_of_aws(dynamodb_local, elasticmq, folder=tmp_path) as emulators,
        running_on_aws(tmp_path, emulators, environment) as on_aws,
    ):
        await stand_in.set_faults(Fault(kind=FaultKind.KEY_REFUSED, times=1))
        job_id = await on_aws.system.submit(["acme/web"], "Rewrite Optional[X] to X | None.")
        assert (await on_aws.system.ended(job_id))["status"] == "FAILED"
        said = await run(commands(emulators.environment, job_id), {**emulators.environment, **environment})
        job = await on_aws.system.ended(job_id)
    assert job["status"] == "SUCCEEDED", said
    assert f"{job_id}\tFAILED" in said, "the scan finds it"
    assert "claude_key_refused" in said, "the item, and the worker's log, tell why"
    assert "attempt#00001\t1" in said
    assert "VALID" in said, "the job queue is well"


def commands(environment: Mapping[str, str], job_id: str) -> str:
    """The tables have other names here, which the commands that are written without a variable cannot know."""
    text = "\n".join(_BLOCK.findall(RUNBOOK.read_text()))
    text = text.replace("--table-name cody-batch-jobs", f"--table-name {environment['JOBS_TABLE']}")
    return _STRICT + _AWS + re.sub(r"\bJOB\b", job_id, text)


async def run(script: str, environment: Mapping[str, str]) -> str:
    """Their output; fails when any of them does, with all that was said until then and which one it was."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        env={"HOME": "/nonexistent", **environment, "PATH": path, "HTTPS_PROXY": "http://127.0.0.1:9"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
