"""GitHub to clone from: no request is made for that, so that a worker needs neither httpx nor any right but to read."""

from cody_hosts.github.addresses import Addresses
from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import CloneSource
from cody_jobs.repository_names import BadRepositoryName, check_repository_name


class GitHubCodeHost:
    """`token` can only read; None: public repositories alone."""

    def __init__(self, addresses: Addresses, token: str | None) -> None:
        self._addresses = addresses
        self._token = token

    async def clone_source(self, repository: str) -> CloneSource:
        """Whether it is there is found out by cloning."""
        return CloneSource(url=self._addresses.clone_url(checked_name(repository)), token=self._token)


def checked_name(repository: str) -> str:
    """Raises `JobFailed(repository_not_found)` for what cannot be a name, and would lead elsewhere in an address."""
    try:
        return check_repository_name(repository)
    except BadRepositoryName as error:
        raise JobFailed(FailureCode.REPOSITORY_NOT_FOUND, str(error)) from error
