"""What the stand-in can be told when it is started."""

from collections.abc import Mapping

from msgspec import Struct

ACCOUNT = "123456789012"


class Options(Struct, frozen=True, kw_only=True):
    """`entrypoint` follows the interpreter in every process's command line; `grace` is in seconds."""

    entrypoint: tuple[str, ...] = ("-m", "cody_worker")
    environment: Mapping[str, str] = {}
    grace: float = 30.0
    places: float | None = None
    array_index: bool = True
    events_queue: str | None = None
    region: str = "eu-central-1"

    def arn(self, resource: str, *, service: str = "batch") -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT}:{resource}"
