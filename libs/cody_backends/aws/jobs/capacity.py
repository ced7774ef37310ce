"""What DynamoDB says that a request has used, as a metric by table, operation and size of the job."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry.metrics import Meter

from cody_runtime import names
from cody_runtime.telemetry import get_meter

_JOBS_REMEMBERED = 1_000
_SIZES = (10, 100, 1_000, 10_000)


class CapacityMeter:
    def __init__(self, meter: Meter | None = None) -> None:
        self._sizes: OrderedDict[str, str] = OrderedDict()
        self._counter = (meter or get_meter(__name__)).create_counter(
            names.METRIC_DYNAMODB_CAPACITY,
            unit="{capacity_unit}",
            description="Capacity units that requests to DynamoDB consumed",
        )

    def remember(self, job_id: str, repositories: int) -> None:
        """The size of a job never changes."""
        self._sizes[job_id] = size_class(repositories)
        while len(self._sizes) > _JOBS_REMEMBERED:
            self._sizes.popitem(last=False)

    def record(self, operation: str, job_id: str | None, consumed: Any) -> None:
        """`consumed` is what the answer has as ConsumedCapacity: of one table, or a list of tables."""
        if not consumed:
            return
        tables = cast("Sequence[Mapping[str, Any]]", consumed if isinstance(consumed, list) else [consumed])
        size = self._sizes.get(job_id or "", "unknown")
        for table in tables:
            attributes = {
                "aws.dynamodb.table": str(table.get("TableName", "")),
                "rpc.method": operation,
                names.JOB_SIZE: size,
            }
            self._counter.add(float(table.get("CapacityUnits", 0.0)), attributes)


def size_class(repositories: int) -> str:
    """1-10, 11-100, …"""
    least = 1
    for most in _SIZES:
        if repositories <= most:
            return f"{least}-{most}"
        least = most + 1
    return f"{least}-"
