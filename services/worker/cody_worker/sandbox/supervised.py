"""The worker's side of a supervisor: one supervised command, its bounded output, and its end."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_runtime.logs import censor_text
from cody_worker.sandbox.bounded_output import BoundedOutput
from cody_worker.sandbox.command import MEBIBYTE, CommandLimits, CommandResult, EndReason

_PACKAGES = Path(__file__).parents[2]
_SUPERVISE = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from cody_worker.sandbox.supervisor import supervise; sys.exit(supervise.main())"
)
"""Alone (-I) and without what is installed (-S): it finds our packages after Python's own."""

_READ_BYTES = 65_536
_REPORT_BYTES = 65_536
_SECONDS_TO_END = 15.0
_EXIT_CODES = {
    128 + 9: EndReason.KILLED,
    128 + 24: EndReason.CPU_LIMIT,
    128 + 25: EndReason.FILE_SIZE_LIMIT,
}
"""Of SIGKILL, SIGXCPU and SIGXFSZ."""


class Order(Struct, frozen=True, kw_only=True):
    """`argv` is what is started in `folder`; `sandboxed`: it is bubblewrap, which runs the command."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    sandboxed: bool


class _Report(Struct, frozen=True, kw_only=True):
    exit_code: int | None
    reason: str
    started: bool
    seconds: float


async def run_supervised(order: Order, limits: CommandLimits, shown: Sequence[str]) -> CommandResult:
    """The result of the command `shown`. Raises `JobFailed(sandbox_missing)` when it could not be started."""
    output = BoundedOutput(limits.output_bytes)
    async with _supervisor(order, limits) as process:
        async with asyncio.timeout(limits.seconds + _SECONDS_TO_END):
            report_text, within = await asyncio.gather(
                _read_report(process), _read_output(process, output, limits.most_output_bytes)
            )
    report = _decode(report_text)
    if not report.started:
        raise JobFailed(FailureCode.SANDBOX_MISSING, f"the sandbox could not be set up: {output.text().strip()[-500:]}")
    reason = _reason(report) if within else EndReason.OUTPUT_LIMIT
    return CommandResult(
        argv=tuple(shown),
        exit_code=report.exit_code if within else None,
        seconds=report.seconds,
        output=censor_text(output.text()),
        truncated=output.truncated or not within,
        reason=reason,
    )


@asynccontextmanager
async def _supervisor(order: Order, limits: CommandLimits) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", _SUPERVISE, str(_PACKAGES),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={}, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(_encode(order, limits))
        yield process
    finally:
        process.stdin.close()  # which ends the command, wherever it is
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """A supervisor that does not end is killed, and bubblewrap with it: the kernel sees to that."""
    try:
        async with asyncio.timeout(_SECONDS_TO_END):
            await process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise


async def _read_output(process: asyncio.subprocess.Process, output: BoundedOutput, most: int) -> bool:
    """Whether it was within `most` bytes; the command is ended when it was not."""
    assert process.stdout is not None
    assert process.stdin is not None
    within = True
    while data := await process.stdout.read(_READ_BYTES):
        if within:
            output.add(data)
        if within and output.size > most:
            within = False
            process.stdin.close()
    return within


async def _read_report(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    return await process.stderr.read(_REPORT_BYTES)


def _encode(order: Order, limits: CommandLimits) -> bytes:
    asked = {
        **msgspec.to_builtins(order),
        "limits": {
            "seconds": limits.seconds,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_mb * MEBIBYTE,
            "processes": limits.processes,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
            "free_disk_bytes": limits.free_disk_bytes,
        },
    }
    return msgspec.json.encode(asked) + b"\n"


def _decode(report: bytes) -> _Report:
    try:
        return msgspec.json.decode(report, type=_Report)
    except msgspec.DecodeError as error:
        detail = report.decode(errors="replace").strip()[-500:]
        raise JobFailed(
            FailureCode.SANDBOX_MISSING, f"the command's supervisor failed: {detail}", retryable=True
        ) from error


def _reason(report: _Report) -> EndReason:
    if report.reason != EndReason.EXITED:
        return EndReason(report.reason)
    return EndReason.EXITED if report.exit_code is None else _EXIT_CODES.get(report.exit_code, EndReason.EXITED)
