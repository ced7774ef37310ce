"""Files that end in the same moment share a transaction, and nobody has to do with another one's trouble."""

import asyncio
from uuid import uuid4

import pytest
from msgspec.structs import replace

from cody_backends.postgres.database import Database, Operation
from cody_backends.postgres.result_store import PostgresResultStore
from cody_backends.postgres.results.record import Recording, pack_thread
from cody_backends.postgres.results.record_together import MOST_TOGETHER, RecordsTogether
from cody_jobs.errors import Unavailable
from cody_jobs.events import FileDone
from cody_jobs.outcomes import FileRecord
from tests.contract.results import JOB, REPOSITORY, record
from tests.support.wait import wait_until


class Gated:
    """Counts transactions; none begins before `go`. The second one fails as it is told."""

    def __init__(self, database: Database, *, fails: Exception | None = None) -> None:
        self._database = database
        self._fails = fails
        self.transactions = 0
        self.go = asyncio.Event()

    async def run(self, operation: Operation[None]) -> None:
        self.transactions += 1
        await self.go.wait()
        if self._fails is not None and self.transactions > 1:
            raise self._fails
        await self._database.run(operation)


async def recording(of: FileRecord) -> Recording:
    return Recording(record=of, thread=await pack_thread(of.thread), mark=uuid4())


async def start(together: RecordsTogether, *records: FileRecord) -> list[asyncio.Task[None]]:
    ready = [await recording(one) for one in records]
    return [asyncio.create_task(together.record(one), name=one.record.path) for one in ready]


async def files_of(database: Database) -> list[str]:
    page = await PostgresResultStore(database).list_files(JOB, REPOSITORY, limit=1_000, cursor=None)
    return [file.path for file in page.items]


async def test_what_comes_during_a_transaction_is_one_more(database: Database) -> None:
    gated = Gated(database)
    together, paths = RecordsTogether(gated), [f"{number:03}.py" for number in range(MOST_TOGETHER + 10)]
    tasks = await start(together, *[record(path) for path in paths])
    await wait_until(lambda: gated.transactions == 1, "the first transaction waits")
    gated.go.set()
    await asyncio.gather(*tasks)
    assert gated.transactions == 3  # one alone, then as many as may go together, then the rest
    assert await files_of(database) == paths
    store = PostgresResultStore(database)
    told = [event.body for event in await store.read_events(JOB, after=0, limit=1_000)]
    assert sorted(event.path for event in told if isinstance(event, FileDone)) == paths
    assert (await store.usage(JOB)).calls == len(paths)


async def test_the_same_file_twice_is_two_transactions_in_their_order(database: Database) -> None:
    gated = Gated(database)
    gated.go.set()
    first, second = record("a.py", said="first"), record("a.py", said="second")
    await asyncio.gather(*await start(RecordsTogether(gated), first, second))
    assert gated.transactions == 2
    [thread] = (await PostgresResultStore(database).list_threads(JOB, REPOSITORY, limit=9, cursor=None)).items
    assert b"second" in bytes(thread.messages[1].content)


async def test_what_one_file_cannot_have_fails_none_of_the_others(database: Database) -> None:
    gated = Gated(database)
    gated.go.set()
    bad = replace(record("bad.py"), question="\0")  # no text of PostgreSQL's has a NUL
    good, wrong, late = await start(RecordsTogether(gated), record("a.py"), bad, record("b.py"))
    await asyncio.gather(good, late)
    with pytest.raises(Exception, match="0x00"):
        await wrong
    assert await files_of(database) == ["a.py", "b.py"]


async def test_a_database_that_stays_away_is_told_to_all_at_once(database: Database) -> None:
    gated = Gated(database, fails=Unavailable("database", "it is away"))
    gated.go.set()
    alone, *together = await start(RecordsTogether(gated), *[record(f"{number}.py") for number in range(5)])
    await alone
    told = await asyncio.gather(*together, return_exceptions=True)
    assert [type(error) for error in told] == [Unavailable] * 4
    assert gated.transactions == 2


async def test_a_recorder_that_is_cancelled_leaves_the_others_theirs(database: Database) -> None:
    gated = Gated(database)
    first, *others = await start(RecordsTogether(gated), *[record(f"{number}.py") for number in range(4)])
    await wait_until(lambda: gated.transactions == 1, "the first transaction waits")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gated.go.set()
    await asyncio.gather(*others)
    assert await files_of(database) == ["1.py", "2.py", "3.py"]
