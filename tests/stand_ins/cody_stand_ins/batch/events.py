"""Job state changes as EventBridge would put them on an SQS queue."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from cody_stand_ins.batch.options import ACCOUNT, Options

_TRIES = 20
_PAUSE = 0.2


class EventSender:
    """Sends in the order of `tell`; to nowhere without a queue."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._waiting: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "EventSender":
        if self._options.events_queue:
            self._task = asyncio.create_task(self._send_all(self._options.events_queue), name="send-events")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def tell(self, told: Callable[[], Mapping[str, Any]]) -> None:
        """`told` gives the job as DescribeJobs tells it now."""
        if self._task:
            self._waiting.put_nowait(self._event(told()))

    async def _send_all(self, queue_url: str) -> None:
        place = urlsplit(queue_url)
        async with httpx.AsyncClient(base_url=f"{place.scheme}://{place.netloc}", trust_env=False) as http:
            while True:
                await self._send(http, queue_url, await self._waiting.get())

    async def _send(self, http: httpx.AsyncClient, queue_url: str, event: Mapping[str, Any]) -> None:
        body = msgspec.json.encode({"QueueUrl": queue_url, "MessageBody": msgspec.json.encode(event).decode()})
        for _ in range(_TRIES):
            with contextlib.suppress(httpx.HTTPError):
                if (await http.post("/", content=body, headers=self._headers())).is_success:
                    return
            await asyncio.sleep(_PAUSE)

    def _headers(self) -> dict[str, str]:
        """Emulators read the region out of the signature and check nothing else."""
        scope = f"stand-in/20260101/{self._options.region}/sqs/aws4_request"
        return {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "AmazonSQS.SendMessage",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }

    def _event(self, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Batch Job State Change",
            "source": "aws.batch",
            "account": ACCOUNT,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._options.region,
            "resources": [detail["jobArn"]],
            "detail": detail,
        }
