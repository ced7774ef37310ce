"""What the dispatcher can be told."""

from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.open_compute import ComputeSettings
from cody_backends.settings import BackendSettings
from cody_runtime.program import RuntimeSettings


class DispatcherSettings(Struct, frozen=True, kw_only=True):
    runtime: RuntimeSettings
    backend: BackendSettings
    compute: ComputeSettings
    repositories_per_worker: Annotated[
        int, Meta(ge=1, le=1000, description="Repositories that one worker takes; it works on them side by side.")
    ] = 8
    reconcile_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="Pause between looks for work that fell between two programs.")
    ] = 5
    pending_seconds: Annotated[
        float,
        Meta(ge=0, le=3600, description="A job that is PENDING that long is dispatched without waiting for a message."),
    ] = 10
    health_file: Annotated[
        str | None,
        Meta(description="File touched after each complete look for lost work; its age is the dispatcher's health."),
    ] = None
