"""Ask the API something and leave: what most commands do."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from cody_cli.api import Api, open_api
from cody_cli.find_api import find_api
from cody_cli.output import run_async
from cody_cli.tracing import traced

T = TypeVar("T")


def ask_api(environment: Mapping[str, str], work: Callable[[Api], Awaitable[T]]) -> T:
    return run_async(_ask(environment, work))


async def _ask(environment: Mapping[str, str], work: Callable[[Api], Awaitable[T]]) -> T:
    async with open_api(find_api(environment)) as api:
        with traced(api.client, environment):
            return await work(api)
