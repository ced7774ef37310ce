"""Create the group that workers' logs go to."""

from typing import TYPE_CHECKING

from cody_backends.aws.calls import Calls
from cody_backends.bootstrap import Outcome, Step

if TYPE_CHECKING:
    from types_aiobotocore_logs.client import CloudWatchLogsClient


class LogGroupCreator:
    def __init__(self, client: "CloudWatchLogsClient", calls: Calls) -> None:
        self._client = client
        self._calls = calls

    async def ping(self) -> None:
        await self._calls.once("DescribeLogGroups", lambda: self._client.describe_log_groups(limit=1))

    async def create(self, name: str) -> Step:
        what = f"log group {name}"
        told = await self._calls.run(
            "DescribeLogGroups", lambda: self._client.describe_log_groups(logGroupNamePrefix=name)
        )
        if any(group.get("logGroupName") == name for group in told["logGroups"]):
            return Step(what=what, outcome=Outcome.THERE)
        await self._calls.run("CreateLogGroup", lambda: self._client.create_log_group(logGroupName=name))
        return Step(what=what, outcome=Outcome.CREATED)
