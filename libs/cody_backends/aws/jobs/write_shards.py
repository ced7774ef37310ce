"""Write the shards of a planned attempt, and dispatch its runs into them. May be done again, and by two at once."""

from collections.abc import Collection, Sequence

from cody_backends.aws.errors import TransactionRefused
from cody_backends.aws.jobs.items import COUNTERS, AttemptItem, RunItem, implied_run, positions_in, run_from
from cody_backends.aws.jobs.keys import run_key, shard_key
from cody_backends.aws.jobs.pages import names_at
from cody_backends.aws.jobs.tables import Tables, each, runs_key
from cody_backends.aws.jobs.writes import Put, Update, Value, Write
from cody_jobs.errors import Unavailable
from cody_jobs.models import Job, RunStatus

_RUNS_AT_ONCE = 90
_TRIES = 20
_COUNTERS = tuple(name for key, name in COUNTERS.items() if key is not RunStatus.DISPATCHED)


def plan_of(attempt: AttemptItem) -> list[list[int]]:
    """Positions by shard: packed ones first, then one shard for each run that was lost before."""
    alone = set(positions_in(attempt.alone))
    packed = [position for position in positions_in(attempt.queued) if position not in alone]
    shards = [packed[first : first + attempt.per_shard] for first in range(0, len(packed), attempt.per_shard)]
    return [*shards, *([position] for position in sorted(alone))]


async def write_shards(tables: Tables, job: Job, attempt: AttemptItem, *, there: Collection[int]) -> None:
    """`there`: the shards that an earlier call has written. Each of them is whole, unless it takes more than one
    transaction."""
    shards = plan_of(attempt)
    left = {index: at for index, at in enumerate(shards) if index not in there or len(at) > _RUNS_AT_ONCE}
    await names_at(tables, job, [position for positions in left.values() for position in positions])
    await each(left, lambda index: _write_shard(tables, job, attempt, index, left[index]))


async def _write_shard(tables: Tables, job: Job, attempt: AttemptItem, index: int, positions: Sequence[int]) -> None:
    """A shard that a stop has closed meanwhile stays as it is, and its runs with it."""
    names = await names_at(tables, job, positions)
    for first in range(0, len(positions), _RUNS_AT_ONCE):
        there = zip(positions[first : first + _RUNS_AT_ONCE], names[first : first + _RUNS_AT_ONCE], strict=True)
        # What the first try knows of a run is what its page says: in a first attempt that is all there is.
        runs = [implied_run(job, name, position) for position, name in there]
        await _dispatch(tables, attempt, index, positions, runs)


async def _dispatch(
    tables: Tables, attempt: AttemptItem, index: int, positions: Sequence[int], runs: Sequence[RunItem]
) -> None:
    mark = tables.new_mark()
    if attempt.number == 1 and await _write_anew(tables, attempt, index, positions, runs, mark):
        return
    left = await _still_queued(tables, attempt, runs)
    for _ in range(_TRIES):
        try:
            await tables.transact(_writes(tables, attempt, index, positions, left), mark=mark)
        except TransactionRefused as refused:
            if refused.conditions[0] is not None:
                return
            left = await _still_queued(tables, attempt, left)
            continue
        return
    raise Unavailable(tables.service, f"runs of job {attempt.job_id} are changed by others all the time")


async def _write_anew(
    tables: Tables,
    attempt: AttemptItem,
    index: int,
    positions: Sequence[int],
    runs: Sequence[RunItem],
    mark: str,
) -> bool:
    """In a first attempt mostly nothing is there yet: whole items are cheaper to write than changes. False when
    something is: then nothing was written."""
    no_leases: dict[str, Value] = {}
    shard: dict[str, Value] = {
        **runs_key(shard_key(attempt.job_id, attempt.number, index)),
        "positions": list(positions),
        "dispatched": len(runs),
        **dict.fromkeys(_COUNTERS, 0),
        "leases": no_leases,
        "createdAt": tables.now(),
        "expiresAt": tables.forget_at(),
    }
    items = [shard, *(_new_run(tables, attempt, index, run) for run in runs)]
    try:
        await tables.transact(
            [Put(table=tables.runs, item=item, condition="attribute_not_exists(#part)") for item in items], mark=mark
        )
    except TransactionRefused:
        return False
    return True


async def _still_queued(tables: Tables, attempt: AttemptItem, runs: Sequence[RunItem]) -> list[RunItem]:
    """Those that nobody has dispatched (or cancelled) meanwhile."""
    keys = {run_key(run.run.job_id, run.run.repository): run for run in runs}
    found = await tables.find_all(list(keys))
    now = [run_from(found[key]) if key in found else run for key, run in keys.items()]
    return [run for run in now if run.run.status is RunStatus.QUEUED and run.run.attempt < attempt.number]


def _writes(
    tables: Tables, attempt: AttemptItem, index: int, positions: Sequence[int], runs: Sequence[RunItem]
) -> list[Write]:
    none: dict[str, Value] = {":none": 0, ":now": tables.now(), ":no_leases": {}}
    shard = Update(
        table=tables.runs,
        key=runs_key(shard_key(attempt.job_id, attempt.number, index)),
        set={"positions": list(positions), "expiresAt": tables.forget_at()},
        add={"dispatched": len(runs)},
        expressions=(
            "#createdAt = if_not_exists(#createdAt, :now)",
            "#leases = if_not_exists(#leases, :no_leases)",
            *(f"#{name} = if_not_exists(#{name}, :none)" for name in _COUNTERS),
        ),
        condition="attribute_not_exists(#endedAt)",
        values=none,
    )
    return [shard, *(_run(tables, attempt, index, run) for run in runs)]


def _new_run(tables: Tables, attempt: AttemptItem, index: int, item: RunItem) -> dict[str, Value]:
    key = runs_key(run_key(item.run.job_id, item.run.repository))
    return {**key, **_dispatched(tables, attempt, index, item), "dispatches": 1, "losses": 0}


def _dispatched(tables: Tables, attempt: AttemptItem, index: int, item: RunItem) -> dict[str, Value]:
    run = item.run
    return {
        "jobId": run.job_id,
        "repository": run.repository,
        "position": run.position,
        "status": RunStatus.DISPATCHED.value,
        "attempt": attempt.number,
        "shard": index,
        "updatedAt": tables.now(),
        "expiresAt": tables.forget_at(),
    }


def _run(tables: Tables, attempt: AttemptItem, index: int, item: RunItem) -> Update:
    run = item.run
    return Update(
        table=tables.runs,
        key=runs_key(run_key(run.job_id, run.repository)),
        set=_dispatched(tables, attempt, index, item),
        add={"dispatches": 1},
        expressions=("#losses = if_not_exists(#losses, :none)",),
        condition="attribute_not_exists(#part) OR (#status = :queued AND #attempt < :attempt)",
        values={":none": 0, ":queued": RunStatus.QUEUED.value, ":attempt": attempt.number},
    )
