"""A file whose age is the dispatcher's health: it has no port that a health check could ask."""

import asyncio
from pathlib import Path


class HealthFile:
    """`touched` after each complete look at the work; nothing happens where no file is wanted."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None

    async def touch(self) -> None:
        """Raises `OSError` when the file cannot be written: a wrong setting, which shows at the first look."""
        if self._path is not None:
            await asyncio.to_thread(self._path.touch)
