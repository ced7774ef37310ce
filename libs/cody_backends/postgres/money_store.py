"""Reserved and spent money in PostgreSQL; how calls stand being run twice is said in `job_store`."""

from functools import partial

from cody_backends.postgres.connection import Connection
from cody_backends.postgres.database import Database
from cody_backends.postgres.money.reserve import Refused, Wanted, capped, look, reserve
from cody_backends.postgres.money.settle import find_recorded, settle
from cody_jobs.ports.money_store import Balance, CapReached, Caps, Reserved


class PostgresMoneyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, reservation_id: str, *, job_id: str, repository: str, path: str, microusd: int, caps: Caps, owner: str
    ) -> Reserved | CapReached:
        levels = capped(caps, repository=repository)
        if not levels:
            return Reserved(microusd=microusd)
        wanted = Wanted(
            id=reservation_id, job_id=job_id, repository=repository, path=path, microusd=microusd, owner=owner
        )
        try:
            return await self._database.run(partial(reserve, wanted=wanted, caps=levels))
        except Refused:
            return await self._database.run_statement(partial(look, wanted=wanted, caps=levels))

    async def settle(self, job_id: str, reservation_id: str, *, spent: int) -> None:
        await self._database.run_statement(partial(settle, job_id=job_id, reservation_id=reservation_id, spent=spent))

    async def release(self, job_id: str, reservation_id: str) -> None:
        await self.settle(job_id, reservation_id, spent=0)

    async def settle_recorded(self, job_id: str, repository: str, *, owner: str) -> None:
        recorded = await self._database.run_statement(
            partial(find_recorded, job_id=job_id, repository=repository, owner=owner)
        )
        for reservation_id, spent in recorded.items():
            await self.settle(job_id, reservation_id, spent=spent)

    async def balance(self, job_id: str, repository: str = "", path: str = "") -> Balance:
        return await self._database.run_statement(partial(_balance, job_id=job_id, repository=repository, path=path))


async def _balance(connection: Connection, *, job_id: str, repository: str, path: str) -> Balance:
    row = await connection.fetchrow(
        "SELECT spent, reserved FROM money_accounts WHERE job_id = $1 AND repository = $2 AND path = $3",
        job_id,
        repository,
        path,
    )
    return Balance(spent=row["spent"], reserved=row["reserved"]) if row else Balance()
