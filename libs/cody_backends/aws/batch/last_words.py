"""Why a worker failed, in its own words where its log can be read."""

import asyncio
import signal
from typing import TYPE_CHECKING

from cody_backends.aws.batch.pace import Pace
from cody_backends.aws.batch.seen_job import SeenJob
from cody_backends.aws.calls import Calls
from cody_jobs.errors import CodyError
from cody_runtime.logs import censor_text, get_logger

if TYPE_CHECKING:
    from types_aiobotocore_logs.client import CloudWatchLogsClient
    from types_aiobotocore_logs.type_defs import GetLogEventsResponseTypeDef

log = get_logger(__name__)

_LINES = 20
_LINE_CHARACTERS = 1000
_SECONDS = 5.0


class LastWords:
    """Reads log streams of one log group. Logs that cannot be read are no reason to fail."""

    def __init__(self, client: "CloudWatchLogsClient", calls: Calls, *, group: str) -> None:
        self._client = client
        self._calls = calls
        self._group = group
        self._pace = Pace(per_second=10, burst=10)
        self._told = False

    async def reason(self, job: SeenJob) -> str:
        """At most 20 lines of the log without what looks like a secret, else what Batch says of the end."""
        lines = await self._lines(job.log_stream) if job.log_stream else ()
        parts = [*(lines or [job.said or ""]), job.container_said or "", _signal(job.exit_code)]
        return censor_text("\n".join(part for part in parts if part))

    async def _lines(self, stream: str) -> list[str]:
        await self._pace.turn()
        try:
            async with asyncio.timeout(_SECONDS):
                told = await self._calls.run("GetLogEvents", lambda: self._last_events(stream))
        except (CodyError, TimeoutError) as error:
            self._tell_once(error)
            return []
        return [event.get("message", "").rstrip()[:_LINE_CHARACTERS] for event in told["events"]]

    async def _last_events(self, stream: str) -> "GetLogEventsResponseTypeDef":
        return await self._client.get_log_events(
            logGroupName=self._group, logStreamName=stream, limit=_LINES, startFromHead=False
        )

    def _tell_once(self, error: Exception) -> None:
        """An operator may not have given the permission, on purpose."""
        if not self._told:
            self._told = True
            log.warning("worker_logs_unreadable", log_group=self._group, error=str(error) or type(error).__name__)


def _signal(exit_code: int | None) -> str:
    """A container that was ended by signal n has exit code 128 + n."""
    if exit_code is None or exit_code <= 128:
        return ""
    number = exit_code - 128
    return f"ended by {signal.Signals(number).name if number in set(signal.Signals) else number}"
