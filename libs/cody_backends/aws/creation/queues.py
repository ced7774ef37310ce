"""Create queues, and set what is set otherwise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cody_backends.aws.calls import Calls
from cody_backends.aws.definitions import Queue, create_queue_attributes
from cody_backends.aws.errors import Missing
from cody_backends.bootstrap import Outcome, Step

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient

_JSON = frozenset({"RedrivePolicy"})
_TOLD_ONCE_SET = frozenset({"RedrivePolicy"})
"""Every queue has the other attributes: an emulator that does not tell one does not have it at all."""


class QueueCreator:
    def __init__(self, client: "SQSClient", calls: Calls) -> None:
        self._client = client
        self._calls = calls

    async def ping(self) -> None:
        await self._calls.once("ListQueues", lambda: self._client.list_queues(MaxResults=1))

    async def create(self, queue: Queue) -> Step:
        """The queue of its dead letters has to be there."""
        what = f"queue {queue.name}"
        attributes = await self._attributes(queue)
        url = await self._find(queue.name)
        if url is None:
            given: Any = attributes
            await self._calls.run(
                "CreateQueue", lambda: self._client.create_queue(QueueName=queue.name, Attributes=given)
            )
            return Step(what=what, outcome=Outcome.CREATED)
        if not await self._set_otherwise(url, attributes):
            return Step(what=what, outcome=Outcome.THERE)
        changed: Any = attributes
        await self._calls.run(
            "SetQueueAttributes", lambda: self._client.set_queue_attributes(QueueUrl=url, Attributes=changed)
        )
        return Step(what=what, outcome=Outcome.CHANGED)

    async def _attributes(self, queue: Queue) -> Mapping[str, str]:
        if queue.dead_letters is None:
            return create_queue_attributes(queue)
        url = await self._find(queue.dead_letters)
        if url is None:
            raise Missing(f"{self._calls.service}: there is no queue {queue.dead_letters}")
        arn = (await self._present(url))["QueueArn"]
        return create_queue_attributes(queue, dead_letters_arn=arn)

    async def _find(self, name: str) -> str | None:
        try:
            told = await self._calls.run("GetQueueUrl", lambda: self._client.get_queue_url(QueueName=name))
        except Missing:
            return None
        return told["QueueUrl"]

    async def _set_otherwise(self, url: str, attributes: Mapping[str, str]) -> bool:
        present = await self._present(url)
        known = {name: value for name, value in attributes.items() if name in present or name in _TOLD_ONCE_SET}
        return any(_value(name, present.get(name)) != _value(name, value) for name, value in known.items())

    async def _present(self, url: str) -> Mapping[str, str]:
        told = await self._calls.run(
            "GetQueueAttributes",
            lambda: self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]),
        )
        return {str(name): value for name, value in told["Attributes"].items()}


def _value(name: str, text: str | None) -> object:
    """Numbers and texts mean the same in a policy: `"maxReceiveCount": 5` and `"5"`."""
    if text is None or name not in _JSON:
        return text
    policy = msgspec.json.decode(text, type=dict[str, Any])
    return {key: str(value) for key, value in policy.items()}
