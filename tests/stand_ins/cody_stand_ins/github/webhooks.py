"""Deliveries to a webhook, signed; kept, so that they can be delivered again."""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from cody_stand_ins.github.records import Repository


class Webhook(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`events`: names, or none for all of them."""

    url: str
    secret: str
    events: tuple[str, ...] = ()


class Delivery(Struct, kw_only=True, rename="camel"):
    """`status`: of the last answer; 0: there was none yet, or none at all."""

    id: str
    event: str
    action: str | None
    repository: str
    body: str
    status: int = 0
    times: int = 0


class Webhooks:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self.webhook: Webhook | None = None
        self.deliveries: dict[str, Delivery] = {}

    def tell(self, event: str, payload: dict[str, Any], repository: Repository) -> None:
        webhook = self.webhook
        if webhook is None or (webhook.events and event not in webhook.events):
            return
        delivery = Delivery(
            id=str(uuid.uuid4()),
            event=event,
            action=payload.get("action"),
            repository=repository.full_name,
            body=msgspec.json.encode(payload).decode(),
        )
        self.deliveries[delivery.id] = delivery
        self._waiting.put_nowait(delivery)

    def again(self, delivery: str) -> None:
        self._waiting.put_nowait(self.deliveries[delivery])

    def forget(self) -> None:
        self.webhook = None
        self.deliveries = {}

    async def deliver(self) -> None:
        """One after the other, for ever."""
        while True:
            delivery = await self._waiting.get()
            if self.webhook is not None and delivery.id in self.deliveries:
                delivery.status = await self._send(self.webhook, delivery)
                delivery.times += 1

    async def _send(self, webhook: Webhook, delivery: Delivery) -> int:
        body = delivery.body.encode()
        try:
            answer = await self._http.post(webhook.url, content=body, headers=_headers(webhook, delivery, body))
        except httpx.HTTPError:
            return 0
        return answer.status_code


@asynccontextmanager
async def open_webhooks() -> AsyncGenerator[Webhooks]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http, asyncio.TaskGroup() as tasks:
        webhooks = Webhooks(http)
        sender = tasks.create_task(webhooks.deliver(), name="webhooks")
        try:
            yield webhooks
        finally:
            sender.cancel()


def _headers(webhook: Webhook, delivery: Delivery, body: bytes) -> Mapping[str, str]:
    digest = hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/stand-in",
        "x-github-event": delivery.event,
        "x-github-delivery": delivery.id,
        "x-github-hook-id": "1",
        "x-hub-signature-256": f"sha256={digest}",
    }
