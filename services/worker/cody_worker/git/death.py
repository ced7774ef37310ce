"""Why a git child ended, told as what is wrong with its repository."""

import signal

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.shortages import disk_full
from cody_worker.git.wire import (
    CheckOut,
    ChildSetup,
    ChooseFiles,
    Collect,
    Commit,
    FindRemaining,
    Materialise,
    ReadFile,
    ReadOther,
    Request,
    SearchText,
    StageFiles,
    StageTogether,
)

_SIGNAL_BASE = 128


def took_too_long(request: Request, setup: ChildSetup) -> JobFailed:
    """Another try can only help where a network was waited for."""
    message = f"{_doing(request)} took longer than GIT_SECONDS ({setup.limits.seconds:g} s)"
    if _matches_expressions(request):
        message += "; a `match` that backtracks without end would also do that, or an expression of the plan"
    retryable = isinstance(request, CheckOut) and setup.source.url is not None
    return JobFailed(FailureCode.REPOSITORY_TOO_SLOW, message, retryable=retryable)


def explain_death(exit_code: int, request: Request, setup: ChildSetup) -> JobFailed:
    """`exit_code` is 128 + n for signal n."""
    doing = _doing(request)
    match exit_code - _SIGNAL_BASE:
        case signal.SIGXCPU:
            return took_too_long(request, setup)
        case signal.SIGKILL:
            message = f"the process was killed from outside while {doing}, most likely for want of memory"
            return JobFailed(FailureCode.REPOSITORY_TOO_LARGE, message, retryable=True)
        case signal.SIGTERM:
            message = f"the process was ended from outside while {doing}"
            return JobFailed(FailureCode.WORKER_LOST, message, retryable=True)
        case signal.SIGBUS if setup.source.url is not None:
            # libgit2 writes packs through a memory map: the kernel reports a full disk by this signal.
            return disk_full(f"SIGBUS while {doing}")
        case _:
            message = f"the repository made libgit2 crash ({_ending(exit_code)}) while {doing}"
            return JobFailed(FailureCode.REPOSITORY_UNREADABLE, message)


def _matches_expressions(request: Request) -> bool:
    if isinstance(request, FindRemaining) or (isinstance(request, ReadFile) and request.patterns):
        return True
    if not isinstance(request, ChooseFiles):
        return False
    plan = request.rules.plan
    return request.rules.match is not None or bool(plan.matches or plan.leave_alone)


def _ending(exit_code: int) -> str:
    try:
        return signal.Signals(exit_code - _SIGNAL_BASE).name
    except ValueError:
        return f"exit code {exit_code}"


def _doing(request: Request) -> str:
    match request:
        case CheckOut():
            return "checking out"
        case ChooseFiles():
            return "examining the files"
        case ReadFile() | ReadOther():
            return f"reading {request.path!r}"
        case SearchText():
            return "searching the files"
        case Materialise():
            return "writing the work tree"
        case Collect():
            return "reading the work tree"
        case FindRemaining():
            return "looking for what remains"
        case StageFiles() | StageTogether() | Commit():
            return "writing the commit"
