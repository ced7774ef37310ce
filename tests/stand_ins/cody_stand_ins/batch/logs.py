"""The part of CloudWatch Logs that a job's log streams need. Everything is kept until the end."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.refusal import Refusal

Body = Mapping[str, Any]
GROUP = "/aws/batch/job"
_PAGE = 10_000
_MESSAGE_CHARACTERS = 32_768


class LogLine(Struct, frozen=True, kw_only=True):
    """`at` in milliseconds since 1970."""

    at: int
    text: str


class Logs:
    """Groups of streams of lines. Batch's own group is there once the first job logs, as on AWS."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._groups: dict[str, dict[str, list[LogLine]]] = {}
        self.operations: Mapping[str, Callable[[Body], Body]] = {
            "CreateLogGroup": self._create_group,
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
            "GetLogEvents": self._get_events,
        }

    def add(self, group: str, stream: str, text: str) -> None:
        line = LogLine(at=_now(), text=text[:_MESSAGE_CHARACTERS])
        self._groups.setdefault(group, {}).setdefault(stream, []).append(line)

    def _create_group(self, body: Body) -> Body:
        name = str(body["logGroupName"])
        if name in self._groups:
            raise Refusal("ResourceAlreadyExistsException", "The specified log group already exists")
        self._groups[name] = {}
        return {}

    def _describe_groups(self, body: Body) -> Body:
        prefix = str(body.get("logGroupNamePrefix", ""))
        found = [name for name in sorted(self._groups) if name.startswith(prefix)]
        return {"logGroups": [{"logGroupName": name, "arn": self._arn(name)} for name in found]}

    def _describe_streams(self, body: Body) -> Body:
        prefix = str(body.get("logStreamNamePrefix", ""))
        streams = self._group(body)
        found = [name for name in sorted(streams) if name.startswith(prefix)]
        return {"logStreams": [{"logStreamName": name, **_times(streams[name])} for name in found]}

    def _get_events(self, body: Body) -> Body:
        lines = self._group(body).get(str(body["logStreamName"]))
        if lines is None:
            raise Refusal("ResourceNotFoundException", "The specified log stream does not exist.")
        limit = int(body.get("limit", _PAGE))
        shown = lines[:limit] if body.get("startFromHead") else lines[-limit:]
        events = [{"timestamp": line.at, "message": line.text, "ingestionTime": line.at} for line in shown]
        return {"events": events, "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}

    def _group(self, body: Body) -> dict[str, list[LogLine]]:
        group = self._groups.get(str(body["logGroupName"]))
        if group is None:
            raise Refusal("ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def _arn(self, name: str) -> str:
        return self._options.arn(f"log-group:{name}:*", service="logs")


def _times(lines: list[LogLine]) -> dict[str, int]:
    return {"firstEventTimestamp": lines[0].at, "lastEventTimestamp": lines[-1].at} if lines else {}


def _now() -> int:
    return int(time.time() * 1000)
