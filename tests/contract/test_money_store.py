"""Money is reserved against every cap at once, counted once, and never passes one."""

import asyncio

import pytest

from cody_backends.postgres.database import Database
from cody_backends.postgres.money_store import PostgresMoneyStore
from cody_backends.postgres.result_store import PostgresResultStore
from cody_jobs.ports.money_store import NO_CAPS, Balance, CapLevel, CapReached, Caps, MoneyStore, Reserved
from tests.contract.results import JOB, REPOSITORY, call, record

OTHER = "owner/two"
CAPS = Caps(job=1_000, repository=600, file=300)


async def reserve(
    store: MoneyStore,
    name: str,
    microusd: int,
    *,
    caps: Caps = CAPS,
    repository: str = REPOSITORY,
    path: str = "a.py",
    owner: str = "worker-1",
) -> Reserved | CapReached:
    return await store.reserve(
        name, job_id=JOB, repository=repository, path=path, microusd=microusd, caps=caps, owner=owner
    )


async def test_what_is_reserved_counts_for_file_repository_and_job(money_store: MoneyStore) -> None:
    assert await reserve(money_store, "one", 200) == Reserved(microusd=200)
    assert await reserve(money_store, "two", 100, repository=OTHER) == Reserved(microusd=100)
    assert await money_store.balance(JOB) == Balance(reserved=300)
    assert await money_store.balance(JOB, REPOSITORY) == Balance(reserved=200)
    assert await money_store.balance(JOB, OTHER, "a.py") == Balance(reserved=100)


async def test_the_cap_itself_may_be_reserved_and_not_a_millionth_more(money_store: MoneyStore) -> None:
    assert isinstance(await reserve(money_store, "one", 301), CapReached)
    assert await money_store.balance(JOB) == Balance()
    assert await reserve(money_store, "one", 300) == Reserved(microusd=300)
    assert await reserve(money_store, "two", 1) == CapReached(
        level=CapLevel.FILE, cap=300, unspent=300, scarce=CapLevel.FILE, free=0
    )


async def test_where_one_cap_refuses_nothing_is_held_of_the_others(money_store: MoneyStore) -> None:
    await reserve(money_store, "one", 300)
    await reserve(money_store, "two", 300, path="b.py")
    refused = await reserve(money_store, "three", 100, path="c.py")
    assert refused == CapReached(level=CapLevel.FILE, cap=300, unspent=300, scarce=CapLevel.REPOSITORY, free=0)
    assert await money_store.balance(JOB, REPOSITORY, "c.py") == Balance()
    assert await money_store.balance(JOB) == Balance(reserved=600)
    assert await reserve(money_store, "three", 100, repository=OTHER, path="c.py") == Reserved(microusd=100)


async def test_a_refusal_names_the_cap_that_leaves_the_least_and_what_is_free_now(money_store: MoneyStore) -> None:
    await reserve(money_store, "one", 300)
    await money_store.settle(JOB, "one", spent=250)
    await reserve(money_store, "two", 40)
    refused = await reserve(money_store, "three", 100)
    assert refused == CapReached(level=CapLevel.FILE, cap=300, unspent=50, scarce=CapLevel.FILE, free=10)
    await reserve(money_store, "four", 300, path="b.py")
    refused = await reserve(money_store, "five", 100, path="c.py")
    assert refused == CapReached(level=CapLevel.FILE, cap=300, unspent=300, scarce=CapLevel.REPOSITORY, free=10)


async def test_a_settled_call_counts_what_it_has_cost_and_gives_the_rest_back(money_store: MoneyStore) -> None:
    await reserve(money_store, "one", 300)
    await money_store.settle(JOB, "one", spent=120)
    for account in ((), (REPOSITORY,), (REPOSITORY, "a.py")):
        assert await money_store.balance(JOB, *account) == Balance(spent=120)
    assert await reserve(money_store, "two", 180) == Reserved(microusd=180)


async def test_a_call_that_cost_more_than_was_reserved_counts_in_full(money_store: MoneyStore) -> None:
    await reserve(money_store, "one", 300)
    await money_store.settle(JOB, "one", spent=1_200)
    assert await money_store.balance(JOB) == Balance(spent=1_200)
    refused = await reserve(money_store, "two", 1, repository=OTHER)
    assert refused == CapReached(level=CapLevel.JOB, cap=1_000, unspent=0, scarce=CapLevel.JOB, free=0)


async def test_what_was_released_is_free_again(money_store: MoneyStore) -> None:
    await reserve(money_store, "one", 300)
    await money_store.release(JOB, "one")
    assert await money_store.balance(JOB) == Balance()
    assert await reserve(money_store, "two", 300) == Reserved(microusd=300)


async def test_a_reservation_is_made_and_settled_once(money_store: MoneyStore) -> None:
    await reserve(money_store, "one", 300)
    assert await reserve(money_store, "one", 300) == Reserved(microusd=300)
    await money_store.settle(JOB, "one", spent=100)
    await money_store.settle(JOB, "one", spent=200)
    await money_store.release(JOB, "one")
    assert await reserve(money_store, "one", 300) == Reserved(microusd=300)
    await money_store.settle(JOB, "unknown", spent=100)
    assert await money_store.balance(JOB) == Balance(spent=100)


async def test_without_a_repository_only_the_job_has_a_cap(money_store: MoneyStore) -> None:
    assert await reserve(money_store, "plan", 900, repository="", path="(plan)") == Reserved(microusd=900)
    await money_store.settle(JOB, "plan", spent=800)
    assert await money_store.balance(JOB) == Balance(spent=800)
    assert await money_store.balance(JOB, "", "(plan)") == Balance()


async def test_caps_that_are_not_set_do_not_count(money_store: MoneyStore) -> None:
    assert await reserve(money_store, "one", 10**12, caps=NO_CAPS) == Reserved(microusd=10**12)
    only_job = Caps(job=1_000)
    assert await reserve(money_store, "two", 900, caps=only_job) == Reserved(microusd=900)
    assert await money_store.balance(JOB, REPOSITORY) == Balance()
    await money_store.settle(JOB, "two", spent=900)
    assert await money_store.balance(JOB) == Balance(spent=900)


async def test_many_at_once_never_hold_more_than_the_cap(money_store: MoneyStore) -> None:
    caps = Caps(job=1_000, repository=700, file=150)
    answers = await asyncio.gather(
        *(
            reserve(
                money_store,
                f"call-{number}",
                100,
                caps=caps,
                repository=OTHER if number % 3 else REPOSITORY,
                path=f"{number % 20}.py",
            )
            for number in range(60)
        )
    )
    held = [answer for answer in answers if isinstance(answer, Reserved)]
    assert len(held) == 10
    assert await money_store.balance(JOB) == Balance(reserved=1_000)
    assert (await money_store.balance(JOB, OTHER)).reserved <= 700
    await asyncio.gather(*(money_store.settle(JOB, f"call-{number}", spent=30) for number in range(60)))
    assert await money_store.balance(JOB) == Balance(spent=300)


async def test_the_same_reservation_many_times_at_once_is_one(money_store: MoneyStore) -> None:
    await asyncio.gather(*(reserve(money_store, "one", 100) for _ in range(8)))
    assert await money_store.balance(JOB) == Balance(reserved=100)
    await asyncio.gather(*(money_store.settle(JOB, "one", spent=60) for _ in range(8)))
    assert await money_store.balance(JOB) == Balance(spent=60)


@pytest.fixture
def results(database: Database) -> PostgresResultStore:
    return PostgresResultStore(database)


async def test_what_a_dead_owner_left_stays_reserved(money_store: MoneyStore, results: PostgresResultStore) -> None:
    await reserve(money_store, "one", 300, owner="dead")
    await money_store.settle_recorded(JOB, REPOSITORY, owner="worker-2")
    assert await money_store.balance(JOB) == Balance(reserved=300)


async def test_what_a_dead_owner_left_is_settled_by_the_calls_that_are_recorded(
    money_store: MoneyStore, results: PostgresResultStore
) -> None:
    await reserve(money_store, "settled", 100, owner="dead")
    await money_store.settle(JOB, "settled", spent=40)
    await reserve(money_store, "left", 200, owner="dead")
    await reserve(money_store, "own", 200, path="b.py", owner="worker-2")
    await results.record_file(record("a.py", calls=(call(1, cost=40), call(2, cost=150))))
    await results.record_file(record("b.py", calls=(call(3, cost=100),)))
    await money_store.settle_recorded(JOB, REPOSITORY, owner="worker-2")
    await money_store.settle_recorded(JOB, REPOSITORY, owner="worker-2")
    assert await money_store.balance(JOB, REPOSITORY, "a.py") == Balance(spent=190)
    assert await money_store.balance(JOB) == Balance(spent=190, reserved=200)


async def test_which_of_two_that_are_open_was_recorded_nobody_knows(
    money_store: MoneyStore, results: PostgresResultStore
) -> None:
    await reserve(money_store, "one", 100, owner="dead")
    await reserve(money_store, "two", 100, owner="dead too")
    await results.record_file(record("a.py", calls=(call(cost=40),)))
    await money_store.settle_recorded(JOB, REPOSITORY, owner="worker-2")
    assert await money_store.balance(JOB) == Balance(reserved=200)


async def test_a_forgotten_job_leaves_no_money_behind(money_store: MoneyStore, results: PostgresResultStore) -> None:
    await reserve(money_store, "one", 100)
    assert await results.list_job_ids(after=None, limit=10) == [JOB]
    await results.forget_jobs([JOB])
    assert await money_store.balance(JOB) == Balance()
    assert await results.list_job_ids(after=None, limit=10) == []


async def test_without_a_cap_the_database_is_not_asked(database: Database) -> None:
    unasked = PostgresMoneyStore(Database.__new__(Database))
    assert await reserve(unasked, "one", 5, caps=NO_CAPS) == Reserved(microusd=5)
