"""The entry point `cody-batch`: run the command, show its error, return the exit code."""

import os
import sys
from collections.abc import Sequence

import click

from cody_cli.command_list import cody_batch
from cody_cli.failures import EXIT_FAILED, EXIT_INTERRUPTED, CommandFailed


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done; 1: something failed; 2: the command line or its input is wrong; 130: Ctrl-C."""
    try:
        code = cody_batch.main(
            args=None if arguments is None else list(arguments),
            prog_name="cody-batch",
            standalone_mode=False,
            obj=dict(os.environ),
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CommandFailed as error:
        return _show(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped by Ctrl-C", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    return code if isinstance(code, int) else 0


def _show(error: CommandFailed) -> int:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.message}", err=True)
    if error.hint:
        click.echo(f"{click.style('  try:', fg='cyan')} {error.hint}", err=True)
    return error.exit_code


def _reader_left() -> int:
    # What is left in the buffer of standard output cannot be written any more; Python must not try at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
