"""Patches as files: owner__name.patch, each there whole or not at all."""

import secrets
from pathlib import Path

from cody_cli.failures import CommandFailed


class PatchFolder:
    """Two repositories never share a file, also where the file system ignores case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def write(self, repository: str, patch: bytes) -> Path:
        """Raises `CommandFailed` when the folder cannot be written to."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return write_whole(self._folder / self._name(repository), patch)
        except OSError as error:
            raise CommandFailed(f"{self._folder}: {error.strerror}", hint="choose another folder with --out") from error

    def _name(self, repository: str) -> str:
        stem, number = repository.replace("/", "__"), 1
        name = f"{stem}.patch"
        while name.lower() in self._taken:
            number += 1
            name = f"{stem}-{number}.patch"
        self._taken.add(name.lower())
        return name


def write_whole(path: Path, content: bytes) -> Path:
    """Write beside the place and move there: nobody ever reads half a file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        return temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
