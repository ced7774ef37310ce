"""Errors out of a TaskGroup as they were raised, not in the group that it makes of them."""

from collections.abc import Generator
from contextlib import contextmanager

from cody_cli.failures import CommandFailed


@contextmanager
def bare_errors() -> Generator[None]:
    """Raise the first error of a group; one that is meant for people goes before others."""
    try:
        yield
    except BaseExceptionGroup as group:
        errors: list[BaseException] = list(group.exceptions)
        raise next((error for error in errors if isinstance(error, CommandFailed)), errors[0]) from None
