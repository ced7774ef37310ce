"""kill -9 of each program at each step of the flow, with `CODY_BACKEND=aws`: no run is lost, none is done twice, and
the counts are exact. `./dev test tests/story/test_kill_walk.py --kills 50 --kill-seed 1` walks further."""

from pathlib import Path

import pytest

from cody_stand_ins.claude import ClaudeStandIn
from tests.servers.aws_server import AwsServer
from tests.story.aws import emulators_of_aws, environment_on_aws, running_on_aws
from tests.story.kill_walk import FILES_AT_ONCE, KillWalk, choose_kills


@pytest.mark.timeout(1_800)
async def test_whatever_is_killed_the_job_ends_as_it_has_to(
    dynamodb_local: AwsServer,
    elasticmq: AwsServer,
    database_url: str,
    stand_in: ClaudeStandIn,
    repositories: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    kills, seed = (int(str(request.config.getoption(option))) for option in ("--kills", "--kill-seed"))
    environment = environment_on_aws(database_url, stand_in, repositories)
    environment |= {"REPOSITORIES_PER_WORKER": "2", "FILES_AT_ONCE": str(FILES_AT_ONCE)}
    async with (
        emulators_of_aws(dynamodb_local, elasticmq, folder=tmp_path) as emulators,
        running_on_aws(tmp_path, emulators, environment) as on_aws,
    ):
        walk = KillWalk(on_aws.system, stand_in, emulators.batch, repositories)
        for kill in choose_kills(seed, kills):
            await walk.walk(kill)
    print(f"{kills} jobs, killed: {dict(walk.killed)}")
    assert sum(walk.killed.values()) >= kills / 2
