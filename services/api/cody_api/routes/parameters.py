"""Parts of addresses, checked before anything is asked of a store."""

import re
from typing import Annotated

from litestar.params import PathParameter

from cody_api.check_repositories import NAME_PART
from cody_jobs.errors import JobNotFound, RunNotFound
from cody_jobs.repository_names import BadRepositoryName, check_repository_name

JobId = Annotated[
    str, PathParameter(description="The job's id: job-…", schema_extra={"pattern": r"^[A-Za-z0-9_-]{1,64}$"})
]
Owner = Annotated[
    str,
    PathParameter(
        description="The part of the repository's name before the slash.", schema_extra={"pattern": f"^{NAME_PART}$"}
    ),
]
Name = Annotated[
    str,
    PathParameter(
        description="The part after it; `owner%2Fname` in one piece works, too.",
        schema_extra={"pattern": f"^{NAME_PART}$"},
    ),
]

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_job_id(job_id: str) -> str:
    if not _JOB_ID.fullmatch(job_id):
        raise JobNotFound("There is no job with this id: ids begin with job-.")
    return job_id


def repository_of(owner: str, name: str) -> str:
    repository = f"{owner}/{name}"
    try:
        return check_repository_name(repository)
    except BadRepositoryName as error:
        raise RunNotFound(f"This job has no such repository: {error}") from error
