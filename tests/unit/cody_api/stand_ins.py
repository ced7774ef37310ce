"""Ports for tests that never get as far as a store."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import cast

from cody_backends.open_backends import Backends
from cody_jobs.ports import ApiToken, JobStore, ResultStore, Role, RoomStore, TokenStore, WorkQueue
from cody_jobs.ports.batch_store import BatchStore
from cody_jobs.ports.money_store import MoneyStore

SECRET = "cody_known"


class NotCalled:
    """A port that has to be left alone."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def method(*_: object, **__: object) -> None:
            raise AssertionError(f"{name} was called")

        return method


class OneToken:
    """Knows one secret, and how often it was asked."""

    def __init__(self, role: Role) -> None:
        self.looks = 0
        self._role = role

    async def find_token(self, secret: str) -> ApiToken | None:
        self.looks += 1
        if secret != SECRET:
            return None
        return ApiToken(name="eve", role=self._role, created_at=datetime.now(UTC), revoked_at=None)


def backends_without_stores(role: Role) -> Backends:
    return Backends(
        jobs=cast("JobStore", NotCalled()),
        queue=cast("WorkQueue", NotCalled()),
        results=cast("ResultStore", NotCalled()),
        tokens=cast("TokenStore", OneToken(role)),
        rooms=cast("RoomStore", NotCalled()),
        money=cast("MoneyStore", NotCalled()),
        batches=cast("BatchStore", NotCalled()),
    )
