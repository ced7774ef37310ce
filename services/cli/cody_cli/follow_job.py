"""Follow a job to its end and show how far it is."""

import asyncio

from cody_cli.api import Api, ApiRefused
from cody_cli.bare_errors import bare_errors
from cody_cli.event_stream import follow_events
from cody_cli.interrupts import Interrupts
from cody_cli.progress import JobProgress
from cody_cli.progress_view import View


async def follow_job(api: Api, progress: JobProgress, view: View, ctrl_c: Interrupts) -> None:
    """Return when the job has ended. The first Ctrl-C cancels it; `ctrl_c` itself leaves at the second."""
    with bare_errors():
        async with asyncio.TaskGroup() as group:
            canceller = group.create_task(_cancel_on_interrupt(api, progress.job_id, view, ctrl_c), name="cancel")
            async for event in follow_events(api, progress.job_id, after=progress.last_event):
                progress.apply(event)
                view.show(event)
            canceller.cancel()


async def _cancel_on_interrupt(api: Api, job_id: str, view: View, ctrl_c: Interrupts) -> None:
    await ctrl_c.first.wait()
    view.say(f"cancelling {job_id}; Ctrl-C again leaves at once")
    try:
        await api.cancel(job_id)
    except ApiRefused as error:
        view.say(error.message)  # it has just ended by itself
