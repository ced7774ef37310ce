"""The part of asyncpg that the stores use, with types (asyncpg has none of its own)."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import asyncpg
import msgspec

_asyncpg: Any = asyncpg


_JSONB_VERSION = b"\x01"
"""With this byte its binary form begins."""


class Row(Protocol):
    """One row, by column name or position."""

    def __getitem__(self, key: str | int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def get(self, key: str, default: Any = None, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


class Connection(Protocol):
    """One connection. `json` and `jsonb` parameters take whatever msgspec can encode (Structs, mappings, Raw), and such
    columns are read as bytes, for `msgspec.json.decode(row["spec"], type=JobSpec)`. PostgreSQL refuses the character
    U+0000 in `text` and `jsonb`: what may contain it belongs into `bytea`."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Return the command's tag ("UPDATE 3"). Several statements are fine when there are no arguments."""
        ...

    async def executemany(
        self, command: str, args: Iterable[Sequence[object]], *, timeout: float | None = None
    ) -> None: ...

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Row | None: ...
    async def fetchval(self, query: str, *args: object, column: int = 0, timeout: float | None = None) -> Any: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[object]] | AsyncIterator[Sequence[object]],
        columns: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> str: ...

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AbstractAsyncContextManager[object]: ...
    def is_closed(self) -> bool: ...


class OwnConnection(Connection, Protocol):
    """A connection outside of the pool, with what only its owner may do."""

    async def set_type_codec(
        self,
        typename: str,
        *,
        schema: str,
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: str,  # noqa: A002 (asyncpg's name)
    ) -> None: ...
    async def add_listener(self, channel: str, callback: Callable[[object, int, str, str], None]) -> None: ...
    def add_termination_listener(self, callback: Callable[[object], None]) -> None: ...
    async def close(self, *, timeout: float | None = None) -> None: ...
    def terminate(self) -> None: ...


async def connect(*args: Any, **kwargs: Any) -> OwnConnection:
    """`asyncpg.connect`."""
    return await _asyncpg.connect(*args, **kwargs)


def create_pool(**kwargs: Any) -> Any:
    """`asyncpg.create_pool`."""
    return _asyncpg.create_pool(**kwargs)


async def use_json(connection: OwnConnection) -> None:
    """Encode `json` and `jsonb` with msgspec; read them as bytes, so that each caller decodes to its own type."""
    for name, prefix in (("json", b""), ("jsonb", _JSONB_VERSION)):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value, prefix=prefix: prefix + msgspec.json.encode(value),
            decoder=lambda data, prefix=prefix: bytes(data[len(prefix) :]),
            format="binary",
        )
