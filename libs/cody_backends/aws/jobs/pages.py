"""The names of a job's repositories, in the order of its request: on pages that never change, and are remembered."""

from collections.abc import Sequence

from cody_backends.aws.jobs.items import RunItem, implied_run, names_from, page_and_place, run_from
from cody_backends.aws.jobs.keys import PAGE, page_count, page_key, run_key
from cody_backends.aws.jobs.tables import Tables, each
from cody_jobs.errors import Unavailable
from cody_jobs.models import Job, JobStatus


async def names_at(tables: Tables, job: Job, positions: Sequence[int]) -> list[str]:
    """The names at these positions."""
    wanted = sorted({page_and_place(position)[0] for position in positions})
    pages = await names_on(tables, job, wanted)
    return [pages[page][place] for page, place in map(page_and_place, positions)]


async def names_on(tables: Tables, job: Job, pages: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Names by page; of a job that was not written whole (yet), only the pages that are there."""
    known = {page: names for page in pages if (names := tables.remembered_page(job, page)) is not None}
    missing = [page for page in pages if page not in known]
    if not missing:
        return known
    keys = {page: page_key(job.id, page) for page in missing}
    found = await tables.find_all(list(keys.values()))
    for page, key in keys.items():
        if key in found:
            known[page] = names_from(found[key])
            tables.remember_page(job, page, known[page])
        elif not may_be_half(job):
            raise Unavailable(tables.service, f"page {page} of job {job.id} is not there")
    return known


def may_be_half(job: Job) -> bool:
    """It is still written, or was stopped meanwhile."""
    return job.status is JobStatus.CREATING or (job.ended_at is not None and job.attempt == 0)


async def is_whole(tables: Tables, job: Job) -> bool:
    pages = range(page_count(job.repositories))
    return not may_be_half(job) or len(await names_on(tables, job, pages)) == len(pages)


async def runs_on(tables: Tables, job: Job, page: int) -> list[RunItem]:
    """All runs of one page, in order, those that were never dispatched included."""
    names = (await names_on(tables, job, [page])).get(page, ())
    first = page * PAGE
    keys = [run_key(job.id, name) for name in names]
    found = await tables.find_all(keys)
    return [
        run_from(found[key]) if key in found else implied_run(job, name, first + place)
        for place, (name, key) in enumerate(zip(names, keys, strict=True))
    ]


async def all_runs(tables: Tables, job: Job) -> list[RunItem]:
    pages = await each(range(page_count(job.repositories)), lambda page: runs_on(tables, job, page), at_once=8)
    return [run for runs in pages for run in runs]


async def find_run(tables: Tables, job_id: str, repository: str) -> RunItem | None:
    """A run that was dispatched before; None for one that was not, or that there is not."""
    item = await tables.find(run_key(job_id, repository))
    return None if item is None else run_from(item)
