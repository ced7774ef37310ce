"""A token for one command, where a shared database keeps the tokens and nobody wrote one down for us."""

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from cody_cli.stores import open_stores
from cody_jobs.ports import Role


@asynccontextmanager
async def temporary_token(environment: Mapping[str, str]) -> AsyncGenerator[str]:
    """Make a submitter's token and revoke it at the end."""
    name = f"run-{secrets.token_hex(4)}"
    async with open_stores(environment) as stores:
        secret = await stores.tokens.create_token(name, Role.SUBMITTER)
    try:
        yield secret
    finally:
        async with open_stores(environment) as stores:
            await stores.tokens.revoke_token(name)
