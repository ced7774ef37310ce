"""libgit2's errors, translated: each becomes a `JobFailed` that says what about the repository is wrong.

libgit2 tells most of its reasons by text alone, so the text is what is looked at.
"""

import errno
import os
import re
from collections.abc import Generator
from contextlib import contextmanager

import pygit2

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.shortages import disk_full, needs_more_memory

_MEMORY = re.compile(r"out of memory|cannot allocate memory", re.IGNORECASE)
_DISK = re.compile(
    "|".join(re.escape(os.strerror(number)) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)), re.IGNORECASE
)
_STATUS = re.compile(r"unexpected http status code: (\d+)")


@contextmanager
def reading(what: str) -> Generator[None]:
    """Translate what libgit2 raises while a part of a repository is read or written. `what` names the part."""
    try:
        yield
    except MemoryError as error:
        raise needs_more_memory() from error
    except KeyError as error:
        raise JobFailed(
            FailureCode.REPOSITORY_UNREADABLE, f"{what} is missing: the repository is damaged, or a partial clone"
        ) from error
    except (pygit2.GitError, OSError, ValueError) as error:
        raise _shortage(error) or JobFailed(
            FailureCode.REPOSITORY_UNREADABLE, f"{what} cannot be read: {error}"
        ) from error


@contextmanager
def fetching(host: str) -> Generator[None]:
    """Translate what libgit2 raises while it talks to a code host over HTTP. `host` names it, without credentials."""
    try:
        yield
    except MemoryError as error:
        raise needs_more_memory() from error
    except pygit2.AuthError as error:
        raise _refused(host) from error
    except (pygit2.GitError, OSError, ValueError, KeyError) as error:
        raise _shortage(error) or _fetch_failure(host, str(error)) from error


def _shortage(error: Exception) -> JobFailed | None:
    if _MEMORY.search(str(error)):
        return needs_more_memory()
    return disk_full(str(error)) if _DISK.search(str(error)) else None


def _fetch_failure(host: str, text: str) -> JobFailed:
    status = _STATUS.search(text)
    if "cannot redirect" in text:
        return JobFailed(FailureCode.REPOSITORY_NOT_FOUND, f"{host} sends us to another host, which is not followed")
    if status is None:
        retryable = "certificate" not in text.lower()
        return JobFailed(FailureCode.CODE_HOST_UNAVAILABLE, f"{host}: {text}", retryable=retryable)
    code = int(status[1])
    if code in {401, 403}:
        return _refused(host)
    if code in {404, 410}:
        return JobFailed(FailureCode.REPOSITORY_NOT_FOUND, f"{host} has no such repository (HTTP {code})")
    retryable = code == 429 or code >= 500
    return JobFailed(FailureCode.CODE_HOST_UNAVAILABLE, f"{host} answered with HTTP {code}", retryable=retryable)


def _refused(host: str) -> JobFailed:
    return JobFailed(
        FailureCode.REPOSITORY_NOT_FOUND,
        f"{host} refuses access: the repository does not exist, or the token may not read it",
    )
