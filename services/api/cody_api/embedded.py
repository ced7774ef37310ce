"""What the API leaves in the data folder where everything is on one machine: the first token, and its address."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Set
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from cody_jobs.ports import ApiToken, Role, TokenStore
from cody_runtime.logs import get_logger

log = get_logger("cody_api")

TOKEN_FILE = "token"  # noqa: S105 (a file's name)
ADDRESS_FILE = "api.json"
_FIRST_NAME = "local"


class Address(Struct, frozen=True, kw_only=True):
    """The content of `api.json`."""

    url: str
    pid: int


async def ensure_first_token(tokens: TokenStore, folder: Path) -> None:
    """See to it that the folder has the secret of a valid admin token.

    A secret is stored nowhere else: when the file was lost, its token is revoked and another one made.
    """
    path = folder / TOKEN_FILE
    secret = await asyncio.to_thread(_read, path)
    token = await tokens.find_token(secret) if secret else None
    if token is not None and token.role is Role.ADMIN:
        return
    known = await tokens.list_tokens()
    for lost in filter(_is_ours, known):
        await tokens.revoke_token(lost.name)
    name = _free_name({token.name for token in known})
    fresh = await tokens.create_token(name, Role.ADMIN)
    await asyncio.to_thread(_write_privately, path, fresh.encode() + b"\n")
    log.info("first_token_made", name=name, file=str(path))


@asynccontextmanager
async def published_address(folder: Path, url: str) -> AsyncGenerator[None]:
    """Programs of this machine find the API by a file, while it serves."""
    path = folder / ADDRESS_FILE
    content = msgspec.json.encode(Address(url=url, pid=os.getpid()))
    await asyncio.to_thread(_write_privately, path, content + b"\n")
    try:
        yield
    finally:
        await asyncio.to_thread(_remove_if_same, path, content + b"\n")


def _is_ours(token: ApiToken) -> bool:
    base, _, number = token.name.partition("-")
    return token.revoked_at is None and base == _FIRST_NAME and (not number or number.isdigit())


def _free_name(taken: Set[str]) -> str:
    """Revoked tokens keep their names."""
    if _FIRST_NAME not in taken:
        return _FIRST_NAME
    return next(name for number in range(2, len(taken) + 3) if (name := f"{_FIRST_NAME}-{number}") not in taken)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return ""


def _write_privately(path: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def _remove_if_same(path: Path, content: bytes) -> None:
    """Another API may have taken the folder over in the meantime."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            path.unlink()
