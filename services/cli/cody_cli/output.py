"""Results go to standard output, everything else to standard error; `--json` makes results machine-readable."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., object])

_PIPE_WIDTH = 160
"""Columns of a table that is not read on a terminal: nobody wants it cut at 80."""


def json_option(command: C) -> C:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, and nothing else.")(
        command
    )


def tell(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """One document; Structs come out as the API names their fields, paths as text."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def print_json_line(value: object) -> None:
    import msgspec

    click.echo(msgspec.json.encode(value).decode())


def open_console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    return console


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end; being cancelled is an end by Ctrl-C."""
    try:
        return asyncio.run(main)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
