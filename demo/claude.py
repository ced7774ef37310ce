"""Who answers in the demo: Claude, where there is a key; else a stand-in on this machine, and the demo says so."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

from cody_cli.claude_key import NAMES, claude_key_is_missing

_BASE_URLS = ("CLAUDE_BASE_URL", "ANTHROPIC_BASE_URL")


class Answerer(Struct, frozen=True, kw_only=True):
    """`environment` is what workers need to reach it."""

    description: str
    real: bool
    environment: Mapping[str, str]


@asynccontextmanager
async def open_claude(environment: Mapping[str, str]) -> AsyncGenerator[Answerer]:
    if not claude_key_is_missing(environment):
        kept = {name: environment[name] for name in (*NAMES, *_BASE_URLS) if name in environment}
        yield Answerer(description="Claude, with the key of your environment", real=True, environment=kept)
        return
    from cody_stand_ins.claude import claude_stand_in

    async with claude_stand_in(options=("--latency", "0.4", "--jitter", "0.3")) as stand_in:
        yield Answerer(
            description=(
                "an offline STAND-IN, not Claude, as there is no CLAUDE_API_KEY: a small server on this machine that "
                "speaks the Messages API and knows only a few textual migrations. Nothing is paid; costs are computed "
                "as if it were Claude."
            ),
            real=False,
            environment={"CLAUDE_API_KEY": stand_in.key, "CLAUDE_BASE_URL": stand_in.url},
        )
