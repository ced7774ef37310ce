"""A running Cody Batch for one command: the one that is there already, or one of our own for as long as it takes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from cody_cli.api import Api, open_api
from cody_cli.claude_key import require_claude_key
from cody_cli.data_folder import AlreadyRunning, DataFolder, Serving
from cody_cli.failures import BadInput, CommandFailed
from cody_cli.find_api import Address, find_api
from cody_cli.readiness import answers
from cody_cli.stack import Stack, StackPlan, running_stack
from cody_cli.tokens import temporary_token
from cody_cli.tracing import traced

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_PAUSES = (0.2, 0.5, 1.0, 2.0, 2.0)
"""Between attempts of a call: an API that died is back in a few seconds."""


class System(Struct, frozen=True, kw_only=True):
    """`stack` is ours; None where somebody else's system is used, which is `remote` when CODY_API_URL named it."""

    api: Api
    stack: Stack | None
    remote: bool


class Wish(Struct, frozen=True, kw_only=True):
    """`plan` makes the plan of a stack of our own. `local`: the job names repositories of this machine, so that an
    API elsewhere, or one that reads another folder, cannot do it. `concurrency` is what the plan keeps to; a system
    that runs already does not know of it."""

    environment: Mapping[str, str]
    plan: Callable[[], StackPlan]
    local: bool
    concurrency: int | None
    say: Callable[[str], None]


def check_before_start(wish: Wish) -> None:
    """What can be known to fail before anything is started."""
    asked = wish.environment.get("CODY_API_URL", "").strip()
    if asked and wish.local:
        raise BadInput(
            f"CODY_API_URL is set: {asked} cannot see repositories of this machine",
            hint="unset CODY_API_URL, or name the repositories as that API knows them (`cody-batch submit`)",
        )
    root = wish.environment.get("REPOSITORIES_ROOT", "").strip()
    data = DataFolder(wish.environment)
    if wish.local and root and Path(root).expanduser().absolute() != data.repositories:
        raise BadInput(
            f"REPOSITORIES_ROOT is {root}, but --repo and --repos keep their links in {data.repositories}",
            hint="unset REPOSITORIES_ROOT for this command",
        )


@asynccontextmanager
async def open_system(wish: Wish) -> AsyncGenerator[System]:
    """Use CODY_API_URL or what runs on CODY_DATA; else start a stack and stop it at the end."""
    async with AsyncExitStack() as opened:
        found = await _find_or_start(wish, opened)
        address, stack = found if isinstance(found, tuple) else (found, None)
        api = await opened.enter_async_context(open_api(address, pauses=_PAUSES))
        opened.enter_context(traced(api.client, wish.environment))
        yield System(api=api, stack=stack, remote=bool(wish.environment.get("CODY_API_URL", "").strip()))


async def _find_or_start(wish: Wish, opened: AsyncExitStack) -> Address | tuple[Address, Stack]:
    """Another command may be starting or stopping its stack right now: then wait for what comes of it."""
    clock = asyncio.get_running_loop().time
    give_up, said = clock() + _PATIENCE_SECONDS, False
    while True:
        address = await _present(wish)
        if address is not None:
            return address
        try:
            return await _start(wish, opened)
        except AlreadyRunning:
            if clock() > give_up:
                raise
            if not said:
                wish.say("waiting for another Cody Batch on this machine that is starting or stopping")
                said = True
            await asyncio.sleep(_PAUSE_SECONDS)


async def _present(wish: Wish) -> Address | None:
    if wish.environment.get("CODY_API_URL", "").strip():
        address = find_api(wish.environment)
        _tell_no_limit(wish, address.url)
        return address
    serving = DataFolder(wish.environment).serving()
    if serving is None or not await answers(serving.url):
        return None
    if wish.local:
        _check_root(serving, DataFolder(wish.environment))
    _tell_no_limit(wish, serving.url)
    return find_api(wish.environment)


def _tell_no_limit(wish: Wish, where: str) -> None:
    if wish.concurrency is not None:
        wish.say(f"--concurrency has no effect: the Cody Batch at {where} runs already, with settings of its own")


def _check_root(serving: Serving, data: DataFolder) -> None:
    root = serving.repositories_root
    if root is not None and Path(root) != data.repositories:
        raise CommandFailed(
            f"the Cody Batch at {serving.url} reads repositories from {root}, not from {data.repositories}",
            hint="start it without REPOSITORIES_ROOT, or set CODY_DATA to another folder for this command",
        )


async def _start(wish: Wish, opened: AsyncExitStack) -> tuple[Address, Stack]:
    require_claude_key(wish.environment)
    plan = wish.plan()
    stack = await opened.enter_async_context(running_stack(plan, say=wish.say))
    wish.say(f"starting Cody Batch for this job (its log: {plan.log_file})")
    await stack.wait_until_ready()
    token = DataFolder(plan.environment).token()
    if plan.environment.get("DATABASE_URL", "").strip():
        token = await opened.enter_async_context(temporary_token(plan.environment))
    return Address(url=stack.url, token=token), stack
