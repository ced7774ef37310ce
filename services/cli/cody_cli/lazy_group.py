"""A group of commands whose modules are imported when one of them is run, not to print the list."""

from collections.abc import Mapping
from importlib import import_module

import click


class LazyGroup(click.Group):
    """`commands` maps a command's name to its place ("module:attribute") and its line in the list."""

    def __init__(self, name: str, commands: Mapping[str, tuple[str, str]], help_text: str) -> None:
        super().__init__(name, help=help_text, no_args_is_help=True, context_settings={"max_content_width": 100})
        self._places = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        module, attribute = self._places[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._places.items()])
