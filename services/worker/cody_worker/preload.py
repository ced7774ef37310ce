"""Imports what a worker needs: for fork servers alone, whose children then start in milliseconds. Everybody else
imports heavy things where they are used."""

import importlib

_HEAVY = (
    "anthropic",
    "anthropic.resources.messages",  # the SDK imports it at the first call only
    "anyio._backends._asyncio",
    "asyncpg",
    "pathspec",
    "pygit2",
    "stamina",
    "structlog",
    "yaml",
)
_OURS = ("cody_worker.git.child", "cody_worker.work")

for _name in (*_HEAVY, *_OURS):
    importlib.import_module(_name)
