"""What a forked child does: it becomes the program that it was forked for."""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

Run = Callable[[Sequence[str], Mapping[str, str]], int]


class ChildProgram(msgspec.Struct, frozen=True, kw_only=True):
    """`program` is "module:function" of a function that takes arguments and environment and returns the exit code."""

    program: str
    arguments: tuple[str, ...]


def run_child(argument: bytes, fds: list[int]) -> int:
    """The entry of the fork server: output goes to the one descriptor given."""
    child = msgspec.msgpack.decode(argument, type=ChildProgram)
    (output,) = fds
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    module, _, function = child.program.partition(":")
    run: Run = getattr(importlib.import_module(module), function)
    # A forked child is the main of its program: this is where its environment is read, once.
    return run(child.arguments, dict(os.environ))
