"""The help comes at once: nothing heavy is imported to print it."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cody_cli.command_list import cody_batch, ops
from cody_cli.lazy_group import LazyGroup
from tests.unit.cody_cli.program import CodyBatch

_HEAVY = ("asyncio", "asyncpg", "httpx", "httpx_sse", "msgspec", "opentelemetry", "rich", "structlog")
_IMPORTED = f"""
import sys
from cody_cli.__main__ import main
assert main(["--help"]) == 0
print([name for name in {_HEAVY!r} if name in sys.modules])
"""


async def test_the_help_lists_every_command_and_imports_nothing_heavy() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", _IMPORTED, stdout=pipe)
    out, _ = await process.communicate()
    *listed, imported = out.decode().splitlines()
    assert imported == "[]"
    for name in (
        "up",
        "run",
        "submit",
        "list",
        "show",
        "plan",
        "diff",
        "thread",
        "events",
        "cancel",
        "retry",
        "trace",
        "ops",
    ):
        assert any(line.split()[:1] == [name] for line in listed), name


@pytest.mark.parametrize("group", [cody_batch, ops], ids=["cody-batch", "ops"])
def test_every_command_of_the_list_is_there(group: LazyGroup) -> None:
    context = group.make_context("x", ["list"], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


def test_the_documentation_names_every_command_and_option() -> None:
    text = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for path, command in _commands("", cody_batch):
        assert isinstance(command, click.Group) or path.strip() in text, path
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            assert option.opts[0] in text, f"{path} {option.opts[0]}"


def _commands(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(f"{path} {name}", command)


@pytest.mark.parametrize("command", ["run", "up"])
async def test_the_help_says_what_goes_on_after_a_second_ctrl_c(cody: CodyBatch, command: str) -> None:
    said = " ".join((await cody.run(command, "--help")).out.split())
    assert "end within 20 s" in said
    assert "at the next start" in said


async def test_an_unknown_command_or_option_is_a_usage_error(cody: CodyBatch) -> None:
    unknown = await cody.run("lsit")
    option = await cody.run("list", "--nope")
    assert (unknown.code, option.code) == (2, 2)
    assert "No such command 'lsit'" in unknown.err
    assert "--nope" in option.err
