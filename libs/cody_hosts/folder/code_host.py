"""`owner/name` is a git repository below a folder: bare (`name` or `name.git`) or with a work tree. It is only read."""

import asyncio
from pathlib import Path

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import CloneSource
from cody_jobs.repository_names import BadRepositoryName, check_repository_name


class FolderCodeHost:
    """Symbolic links below the root are followed: whoever made them there chose what they point to."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def clone_source(self, repository: str) -> CloneSource:
        """Raises `JobFailed`: `repository_not_found`, or `code_host_unavailable` when the root itself is missing."""
        return CloneSource(path=str(await asyncio.to_thread(self.find, repository)))

    def find(self, repository: str) -> Path:
        """Raises `JobFailed`, as above."""
        try:
            owner, name = check_repository_name(repository).split("/")
        except BadRepositoryName as error:
            raise JobFailed(FailureCode.REPOSITORY_NOT_FOUND, str(error)) from error
        places = [self._root / owner / name, self._root / owner / f"{name}.git"]
        for place in places:
            if is_repository(place):
                return place
        raise self._explain(places)

    def _explain(self, places: list[Path]) -> JobFailed:
        if not self._root.is_dir():
            message = f"REPOSITORIES_ROOT is no folder: {self._root}"
            return JobFailed(FailureCode.CODE_HOST_UNAVAILABLE, message, retryable=True)
        looked_at = " or ".join(str(place.relative_to(self._root)) for place in places)
        if any(place.exists() for place in places):
            message = f"{looked_at} (below REPOSITORIES_ROOT) is there, but is not a git repository"
        else:
            message = f"there is no {looked_at} below REPOSITORIES_ROOT"
        return JobFailed(FailureCode.REPOSITORY_NOT_FOUND, message)


def is_repository(place: Path) -> bool:
    """As git itself sees it, without opening it: libgit2 does that, in a process that can be given up."""
    if (place / ".git").exists():
        return True
    return (place / "HEAD").is_file() and (place / "objects").is_dir() and (place / "refs").is_dir()
