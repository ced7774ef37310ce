"""The `git` program on a user's own repository: argument lists only, no hooks, nothing of our environment."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cody_cli.failures import CommandFailed

# A repository's configuration must not make our look at it run or write anything.
_QUIET = (
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.splitIndex=false",
    "-c",
    "gc.auto=0",
)


class GitFailed(CommandFailed):
    """`git` said no; the message is its own."""


def git(
    repository: Path, *arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
) -> bytes:
    """Run `git` in the repository and return its standard output. Raises `GitFailed` with what it said."""
    command = ["git", "--no-optional-locks", "-C", str(repository), *_QUIET, *arguments]
    cleaned = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settled = {**cleaned, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(environment or {})}
    try:
        done = subprocess.run(command, input=stdin or b"", capture_output=True, check=False, env=settled)
    except FileNotFoundError:
        raise CommandFailed("the program `git` was not found", hint="install git, or put it on the PATH") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"it ended with code {done.returncode}"
        raise GitFailed(f"git {arguments[0]} in {repository}: {said}")
    return done.stdout
