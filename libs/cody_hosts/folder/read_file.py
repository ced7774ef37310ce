"""Read one file of a repository's default branch by the git program, which obeys nothing of the repository's."""

import asyncio
import os
import shutil
from pathlib import Path

from cody_jobs.errors import Unavailable

_SECONDS = 30.0
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
"""With its folder named, git does not ask who owns it; of its configuration, cat-file runs nothing."""


async def read_file(git_folder: Path, path: str, *, most_bytes: int) -> bytes | None:
    """None: there is no such file (or no commit). At most one byte more than `most_bytes`. Raises `Unavailable`."""
    git = await asyncio.to_thread(shutil.which, "git")
    if git is None:
        raise Unavailable("git", "the program is not installed here")
    process = await asyncio.create_subprocess_exec(
        git,
        *("--git-dir", str(git_folder), "cat-file", "blob", f"HEAD:{path}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_ENVIRONMENT,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            content = await _read(process, most_bytes + 1)
            return content if len(content) > most_bytes or await process.wait() == 0 else None
    except TimeoutError as error:
        raise Unavailable("git", f"reading {path} took longer than {_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _read(process: asyncio.subprocess.Process, most: int) -> bytes:
    assert process.stdout is not None
    content = b""
    while len(content) < most and (part := await process.stdout.read(most - len(content))):
        content += part
    return content
