"""The stand-in as an ASGI application: AWS Batch by path, CloudWatch Logs by target header."""

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from cody_stand_ins.batch.faults import FaultChooser, FaultKind, Faults, refusal_of
from cody_stand_ins.batch.job_calls import JobCalls
from cody_stand_ins.batch.logs import Logs
from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.refusal import Refusal
from cody_stand_ins.batch.resources import Resources
from cody_stand_ins.batch.runner import Runner, Tell
from cody_stand_ins.batch.stats import Stats

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

SERVER = b"cody-batch-stand-in"


class AnswerLost(Exception):
    """Raised on purpose: the server closes the connection without an answer."""


class BatchServer:
    """Answers like AWS Batch; forgets everything when it ends."""

    def __init__(self, options: Options, tell: Tell) -> None:
        self._options = options
        self._tell = tell
        self._start_over()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        path = str(scope["path"])
        if path.startswith("/stand-in/"):
            await self._control(path.removeprefix("/stand-in/"), body, send)
            return
        service, operation = _call_of(path, dict(scope["headers"]))
        try:
            answer = self._answer(service, operation, body)
        except Refusal as refusal:
            await _refuse(send, service, refusal)
        else:
            await _reply(send, 200, msgspec.json.encode(answer), service)

    async def aclose(self) -> None:
        await self._runner.aclose()

    def _start_over(self) -> None:
        self._logs = Logs(self._options)
        self._resources = Resources(self._options)
        self._runner = Runner(self._options, self._logs, self._tell, self._resources.vcpus_of_all)
        self._jobs = JobCalls(self._options, self._resources, self._runner)
        self._faults = FaultChooser(Faults())
        self._calls: Counter[str] = Counter()
        self._met: Counter[str] = Counter()
        self._largest: dict[str, int] = {}

    def _answer(self, service: str, operation: str, body: bytes) -> Mapping[str, Any]:
        self._calls[operation] += 1
        self._largest[operation] = max(len(body), self._largest.get(operation, 0))
        fault = self._faults.choose(operation)
        if fault:
            self._met[fault] += 1
            self._fail_early(fault, service, operation)
        answer = self._do(service, operation, body)
        if fault is FaultKind.ANSWER_LOST:
            raise AnswerLost
        return answer

    def _fail_early(self, fault: FaultKind, service: str, operation: str) -> None:
        if refusal := refusal_of(fault, service, operation):
            raise refusal
        if fault is FaultKind.UNREACHABLE:
            raise AnswerLost

    def _do(self, service: str, operation: str, body: bytes) -> Mapping[str, Any]:
        operations = self._logs.operations if service == "logs" else self._batch_operations(len(body))
        call = operations.get(operation)
        if call is None:
            raise Refusal("UnknownOperationException", f"the stand-in has no {service}:{operation}", 404)
        try:
            return call(msgspec.json.decode(body or b"{}"))
        except (KeyError, ValueError) as error:
            raise Refusal("ClientException", f"Error executing request, Exception : {error!r}") from error

    def _batch_operations(self, payload: int) -> Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]:
        return {**self._resources.operations, **self._jobs.operations(payload)}

    async def _control(self, what: str, body: bytes, send: Send) -> None:
        status = 200
        answer: object = {}
        match what:
            case "stats":
                answer = self._stats()
            case "faults":
                self._faults = FaultChooser(msgspec.json.decode(body, type=Faults))
            case "places":
                self._resources.places = msgspec.json.decode(body)["places"]
                self._runner.fill()
            case "grace":
                self._runner.grace = msgspec.json.decode(body)["grace"]
            case "lose":
                status = 200 if self._jobs.lose(msgspec.json.decode(body)["jobId"]) else 409
            case "reset":
                await self._runner.aclose()
                self._start_over()
            case _:
                status = 404
        await _reply(send, status, msgspec.json.encode(answer), "stand-in")

    def _stats(self) -> Stats:
        return Stats(
            calls=dict(self._calls),
            faults=dict(self._met),
            largest_payload=dict(self._largest),
            submitted=self._jobs.submitted(),
            running=self._runner.running(),
            started=self._runner.started,
            most_at_once=self._runner.most_at_once,
            lost=self._runner.lost,
        )


def _call_of(path: str, headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Service and operation: `/v1/submitjob`, or `X-Amz-Target: Logs_20140328.GetLogEvents`."""
    if target := headers.get(b"x-amz-target"):
        return "logs", target.decode().rpartition(".")[2]
    name = path.rpartition("/")[2]
    return "batch", _OPERATIONS.get(name, name)


_OPERATIONS = {
    name.lower(): name
    for name in (
        "CreateComputeEnvironment",
        "DescribeComputeEnvironments",
        "DeleteComputeEnvironment",
        "CreateJobQueue",
        "DescribeJobQueues",
        "RegisterJobDefinition",
        "DescribeJobDefinitions",
        "SubmitJob",
        "DescribeJobs",
        "ListJobs",
        "TerminateJob",
    )
}


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _refuse(send: Send, service: str, refusal: Refusal) -> None:
    body = {"__type": refusal.code, "message": refusal.message}
    error_type = (b"x-amzn-errortype", refusal.code.encode())
    await _reply(send, refusal.status, msgspec.json.encode(body), service, error_type)


async def _reply(send: Send, status: int, body: bytes, service: str, *extra: tuple[bytes, bytes]) -> None:
    kind = b"application/x-amz-json-1.1" if service == "logs" else b"application/json"
    headers = [
        (b"server", SERVER),
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
