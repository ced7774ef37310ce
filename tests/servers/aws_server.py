"""What a test needs to know of a server that speaks AWS's language."""

import itertools
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_aiobotocore_batch import BatchClient
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_logs import CloudWatchLogsClient
    from types_aiobotocore_sqs import SQSClient

REGION = "eu-central-1"
ACCESS_KEY = "testing"
SECRET_KEY = "testing"
_numbers = itertools.count(1)


class AwsServer:
    """A running server. One serves the whole session: what a test makes there gets a name of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def unused_name(self, kind: str) -> str:
        """For a table, a queue or the like that no other test has: "jobs-7"."""
        return f"{kind}-{next(_numbers)}"

    def environment(self, *services: str) -> Mapping[str, str]:
        """What sends a program's calls of these services here, with a key: "dynamodb", "sqs", "batch",
        "cloudwatch_logs"."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **{f"AWS_ENDPOINT_URL_{service.upper()}": self.url for service in services},
        }

    def dynamodb(self) -> "AbstractAsyncContextManager[DynamoDBClient]":
        return self._session.create_client("dynamodb", endpoint_url=self.url)

    def sqs(self) -> "AbstractAsyncContextManager[SQSClient]":
        return self._session.create_client("sqs", endpoint_url=self.url)

    def batch(self) -> "AbstractAsyncContextManager[BatchClient]":
        return self._session.create_client("batch", endpoint_url=self.url)

    def logs(self) -> "AbstractAsyncContextManager[CloudWatchLogsClient]":
        return self._session.create_client("logs", endpoint_url=self.url)

    @cached_property
    def _session(self) -> Any:
        """The import takes a second, which sessions without such a server need not wait. Untyped, because its types
        name those of services that we have not installed."""
        from aiobotocore.session import AioSession

        session = AioSession()
        session.set_credentials(ACCESS_KEY, SECRET_KEY)
        session.set_config_variable("region", REGION)
        return session
