"""Results of commands, as they are told and kept."""

from collections.abc import Sequence

import msgspec

from cody_worker.commands.output_text import cut_middle, plain
from cody_worker.sandbox.command import CommandResult, EndReason

KEPT_BYTES = 32_768
_ARGUMENT, _ARGUMENTS = 100, 12


def shortened(result: CommandResult, tree: str) -> CommandResult:
    """As it is stored: without colours, paths in the work tree relative to it, and not too long."""
    output = plain(result.output, tree)
    cut = cut_middle(output, KEPT_BYTES)
    return msgspec.structs.replace(result, output=cut, truncated=result.truncated or cut != output)


def ended(result: CommandResult) -> str:
    """How, in words that follow the command's."""
    match result.reason:
        case EndReason.EXITED:
            return f"ended with exit code {result.exit_code}"
        case EndReason.NOT_FOUND:
            return "could not be started"
        case EndReason.KILLED:
            return "was killed, most likely for want of memory"
        case _:
            return f"was ended after {result.seconds:.0f} s ({result.reason.replace('_', ' ')})"


def described(argv: Sequence[str]) -> Sequence[str]:
    """The command for a message: no argument goes on for pages."""
    shown = [part if len(part) <= _ARGUMENT else part[: _ARGUMENT - 1] + "…" for part in argv[:_ARGUMENTS]]
    return shown if len(argv) <= _ARGUMENTS else [*shown, "…"]
