"""Where a checkout starts from, and what it may cost."""

from msgspec import Struct


class Checkout(Struct, frozen=True, kw_only=True):
    """`base_commit` is the hex id of HEAD's commit; `branch` HEAD's short name, None where HEAD is detached."""

    base_commit: str
    branch: str | None


class GitLimits(Struct, frozen=True, kw_only=True):
    """What one repository may cost: address space beyond what the child starts with, wall and CPU seconds of each
    request, bytes received when cloning, and seconds after which a silent code host is given up. `scratch` is the
    folder below which scratch repositories are made; None: the system's folder for temporary files."""

    memory_mb: int = 1024
    seconds: float = 300
    clone_bytes: int = 1 << 30
    server_seconds: float = 30
    scratch: str | None = None
