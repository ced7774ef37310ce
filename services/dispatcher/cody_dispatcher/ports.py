"""What the dispatcher works with."""

from msgspec import Struct

from cody_jobs.ports import Compute, JobStore, ResultStore, WorkQueue


class DispatcherPorts(Struct, frozen=True, kw_only=True):
    jobs: JobStore
    queue: WorkQueue
    results: ResultStore
    compute: Compute
