"""`python -m cody_dispatcher`: jobs queue to compute, and an eye on what compute made of it."""

import os
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

from cody_dispatcher.settings import DispatcherSettings
from cody_runtime.program import Program, run_program


def main() -> None:
    sys.exit(run_program("dispatcher", DispatcherSettings, dispatch, os.environ))


async def dispatch(settings: DispatcherSettings, program: Program) -> int:
    """Run until asked to stop; then finish the messages in hand and let the workers give their runs back."""
    from cody_backends.open_backends import open_backends
    from cody_backends.open_compute import open_compute
    from cody_dispatcher.consume_messages import MessageConsumer
    from cody_dispatcher.health_file import HealthFile
    from cody_dispatcher.ports import DispatcherPorts
    from cody_dispatcher.reconcile import Reconciler
    from cody_runtime.logs import get_logger
    from cody_runtime.tasks import task_group

    log = get_logger(__name__)
    async with AsyncExitStack() as opened:
        backends = await opened.enter_async_context(open_backends(settings.backend))
        if settings.backend.embedded:
            await opened.enter_async_context(program.spans.keep(backends.results.append_spans))
        compute = await opened.enter_async_context(
            open_compute(settings.compute, settings.backend, environment=program.environment)
        )
        ports = DispatcherPorts(jobs=backends.jobs, queue=backends.queue, results=backends.results, compute=compute)
        per_worker = settings.repositories_per_worker
        consumer = MessageConsumer(ports, repositories_per_worker=per_worker)
        reconciler = Reconciler(
            ports,
            repositories_per_worker=per_worker,
            every=timedelta(seconds=settings.reconcile_seconds),
            pending_for=timedelta(seconds=settings.pending_seconds),
            health=HealthFile(settings.health_file),
        )
        log.info("dispatcher_started", repositories_per_worker=per_worker)
        async with task_group() as tasks:
            tasks.create_task(consumer.run(program.stop), name="consume-messages")
            tasks.create_task(reconciler.run(program.stop), name="reconcile")
        log.info("dispatcher_stopping")
    return 0


if __name__ == "__main__":
    main()
