"""A client of DynamoDB in bad times: throttled, in the way of others, not heard, and dying."""

import asyncio
import random
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.support.watched_dynamodb import WRITES, Died

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


class Troubled:
    """`share` of its requests go wrong, in one of three ways that are told, or are not, before or after DynamoDB has
    done them. `die` ends it at one of its next writes; `stand_still` keeps it from one of them until `go_on`."""

    def __init__(self, client: "DynamoDBClient", chance: random.Random, *, share: float) -> None:
        self._client = client
        self._chance, self._share = chance, share
        self._lives: int | None = None
        self._moves: int | None = None
        self.stands, self._may_go_on = asyncio.Event(), asyncio.Event()
        self.troubles = 0

    def die(self, *, within: int) -> None:
        self._lives = self._chance.randint(1, within)

    def live(self) -> None:
        self._lives = None

    def stand_still(self, *, within: int) -> None:
        self._moves = self._chance.randint(1, within)
        self.stands.clear()
        self._may_go_on.clear()

    def go_on(self) -> None:
        self._moves = None
        self.stands.clear()
        self._may_go_on.set()

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def troubled(**arguments: Any) -> Any:
            heard = self._chance.random() < 0.5
            await self._maybe_stand_still(operation)
            await self._maybe_die(operation, call, arguments, heard=heard)
            if self._chance.random() >= self._share:
                return await call(**arguments)
            self.troubles += 1
            if heard:
                await call(**arguments)
                raise _error(operation, "InternalServerError")
            raise self._refusal(operation, arguments)

        return troubled

    async def _maybe_stand_still(self, operation: str) -> None:
        if self._moves is None or operation not in WRITES:
            return
        self._moves -= 1
        if self._moves <= 0:
            self.stands.set()
            await self._may_go_on.wait()

    async def _maybe_die(self, operation: str, call: Any, arguments: Any, *, heard: bool) -> None:
        if self._lives is None:
            return
        self._lives -= operation in WRITES
        if self._lives > 0:
            return
        if heard and self._lives == 0 and operation in WRITES:
            await call(**arguments)
        raise Died

    def _refusal(self, operation: str, arguments: Any) -> ClientError:
        if operation not in WRITES or self._chance.random() < 0.3:
            return _error(operation, "ProvisionedThroughputExceededException")
        if operation != "transact_write_items":
            return _error(operation, "TransactionConflictException")
        guilty = self._chance.randrange(len(arguments["TransactItems"]))
        reasons = [
            {"Code": "TransactionConflict" if number == guilty else "None"}
            for number in range(len(arguments["TransactItems"]))
        ]
        return _error(operation, "TransactionCanceledException", CancellationReasons=reasons)


def _error(operation: str, code: str, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "trouble"}, **more}
    return ClientError(response, operation)
