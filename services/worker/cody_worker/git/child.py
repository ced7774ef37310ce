"""The git child: serves one repository to the worker, within limits that the kernel keeps."""

import gc
import math
import os
import resource
import socket
import sys
from pathlib import Path

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.outcomes import RunPatch
from cody_worker.git.limits import GitLimits
from cody_worker.git.look import find_matches
from cody_worker.git.open_source import obey_nobody
from cody_worker.git.scope import NotACandidate
from cody_worker.git.shortages import needs_more_memory
from cody_worker.git.staged_files import ChangedMeanwhile
from cody_worker.git.target_repository import TargetRepository, checkout
from cody_worker.git.wire import (
    HEADER,
    CheckedOut,
    CheckOut,
    ChildSetup,
    ChooseFiles,
    Collect,
    Collected,
    Commit,
    Committed,
    Failed,
    FileRead,
    FilesChosen,
    FilesStaged,
    FindRemaining,
    Materialise,
    Materialised,
    OtherRead,
    ReadFile,
    ReadOther,
    Refused,
    RemainingFound,
    Reply,
    Request,
    SearchText,
    StageFiles,
    StageTogether,
    Stale,
    TextFound,
    decode_request,
    decode_setup,
    frame,
)

_KEPT_VARIABLES = frozenset(
    {"PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)
_MEBIBYTE = 1 << 20


def entry(argument: bytes, fds: list[int]) -> int:
    """Serve requests on the socket `fds[0]` until the worker closes it. `argument` is a `ChildSetup`."""
    setup = decode_setup(argument)
    drop_environment()
    _limit_memory(setup.limits)
    obey_nobody()
    with socket.socket(fileno=fds[0]) as connection:
        _serve(connection, setup)
    return 0


def _serve(connection: socket.socket, setup: ChildSetup) -> None:
    service = _Service(setup)
    while (body := _receive(connection)) is not None:
        _allow_cpu_seconds(setup.limits.seconds)
        connection.sendall(_answer(service, body))


def _answer(service: "_Service", body: bytes) -> bytes:
    try:
        return frame(service.answer(decode_request(body)))
    except JobFailed as error:
        return _failed(error)
    except NotACandidate as error:
        return frame(Refused(message=str(error)))
    except ChangedMeanwhile as error:
        return frame(Stale(message=str(error)))
    except MemoryError:
        gc.collect()
        return _failed(needs_more_memory())
    except Exception as error:  # noqa: BLE001 (the worker is told; only it can log)
        message = f"{type(error).__name__}: {error}"
        return _failed(JobFailed(FailureCode.INTERNAL_ERROR, message))


def _failed(error: JobFailed) -> bytes:
    return frame(Failed(code=FailureCode(error.code), message=error.message, retryable=error.retryable))


class _Service:
    """Answers one request after the other; CheckOut has to be the first."""

    def __init__(self, setup: ChildSetup) -> None:
        self._setup = setup
        self._opened: TargetRepository | None = None

    def answer(self, request: Request) -> Reply:
        match request:
            case CheckOut():
                self._opened = checkout(self._setup.source, Path(self._setup.folder), self._setup.limits)
                return CheckedOut(checkout=self._opened.base)
            case ChooseFiles():
                return FilesChosen(scope=self._repository.scope(request.rules))
            case ReadFile():
                content = self._repository.read(request.path)
                return FileRead(content=content, matches=find_matches(content, request.patterns))
            case ReadOther():
                return OtherRead(content=self._repository.read_other(request.path, staged=request.staged))
            case SearchText():
                return TextFound(found=self._repository.search(request.rules))
            case StageFiles():
                self._repository.stage(request.changes)
                return FilesStaged()
            case StageTogether():
                self._repository.stage_together(request.files)
                return FilesStaged()
            case Materialise():
                tree = self._repository.materialise(request.folder, base=request.base, limits=request.limits)
                return Materialised(work_tree=tree)
            case Collect():
                return Collected(changes=self._repository.collect(request.folder, request.limits))
            case FindRemaining():
                return RemainingFound(remaining=self._repository.find_remaining(request.rules))
            case Commit():
                return Committed(patch=self._commit(request))

    @property
    def _repository(self) -> TargetRepository:
        if self._opened is None:
            raise RuntimeError("nothing is checked out")
        return self._opened

    def _commit(self, request: Commit) -> RunPatch | None:
        return self._repository.commit(
            branch=request.branch, message=request.message, author=request.author, when=request.when
        )


def _receive(connection: socket.socket) -> bytes | None:
    """The next message's body, None at the end."""
    header = _receive_exactly(connection, HEADER.size)
    return None if header is None else _receive_exactly(connection, *HEADER.unpack(header))


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(size - len(data), _MEBIBYTE))
        if not part:
            return None
        data += part
    return bytes(data)


def drop_environment() -> None:
    """Forget every variable but those that say how to reach a code host: the worker's keys are none of its business."""
    for name in set(os.environ) - _KEPT_VARIABLES:
        del os.environ[name]


def _limit_memory(limits: GitLimits) -> None:
    """Address space, because that is what the kernel can limit; the many shared pages of the fork do not count."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        most = _address_space() + limits.memory_mb * _MEBIBYTE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _allow_cpu_seconds(seconds: float) -> None:
    """For the next request. The worker's clock comes first, unless the worker is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
