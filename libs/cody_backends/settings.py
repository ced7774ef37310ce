"""Where jobs, messages and results live."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.aws.settings import AwsSettings

OPERATION_PATIENCE = 45.0
"""Seconds that one operation on a store or a queue waits out a database that is away, where nobody says otherwise."""


class BackendFamily(StrEnum):
    POSTGRES = "postgres"
    AWS = "aws"


class BackendSettings(Struct, frozen=True, kw_only=True):
    cody_backend: Annotated[
        BackendFamily, Meta(description="What keeps jobs and messages and starts workers: postgres or aws.")
    ] = BackendFamily.POSTGRES
    database_url: Annotated[
        str | None,
        Meta(
            description="PostgreSQL (postgresql://user:password@host/name). Unset: a server of our own in CODY_DATA.",
            extra={"secret": True},
        ),
    ] = None
    cody_data: Annotated[str, Meta(description="Folder for the embedded database, its token and logs.")] = (
        "~/.cody-batch"
    )
    database_connections: Annotated[
        int, Meta(ge=1, le=100, description="Connections that one process holds at most.")
    ] = 4
    aws: AwsSettings = AwsSettings()

    @property
    def embedded(self) -> bool:
        return self.database_url is None

    @property
    def data_folder(self) -> Path:
        return Path(self.cody_data).expanduser().absolute()
