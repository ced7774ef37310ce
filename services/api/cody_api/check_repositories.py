"""Checks of the list of repositories."""

from collections.abc import Sequence

from cody_api.problems import FieldProblem, shown
from cody_jobs.repository_names import REPOSITORIES_PER_JOB, BadRepositoryName, check_repository_name, is_allowed

NAME_PART = r"[A-Za-z0-9_](?:(?!\.(?:\.|(?:git|lock)?(?:/|$)))[A-Za-z0-9_.-]){0,99}"
"""What `check_repository_name` wants of owner and name, in the words of JSON Schema."""
NAME_SCHEMA = {"pattern": f"^{NAME_PART}/{NAME_PART}$"}


def check_repositories(repositories: Sequence[object], *, allowed: Sequence[str]) -> list[FieldProblem]:
    """Every name that is not one, comes twice, or is not allowed, with its index."""
    if not repositories:
        return [FieldProblem(field="repositories", message="must name at least one", code="no_repositories")]
    if len(repositories) > REPOSITORIES_PER_JOB:
        message = f"names {len(repositories)}; {REPOSITORIES_PER_JOB} are allowed in one job"
        return [FieldProblem(field="repositories", message=message, code="too_many_repositories")]
    first_index: dict[str, int] = {}
    found = (_check_repository(index, name, first_index, allowed=allowed) for index, name in enumerate(repositories))
    return [problem for problem in found if problem is not None]


def _check_repository(
    index: int, name: object, first_index: dict[str, int], *, allowed: Sequence[str]
) -> FieldProblem | None:
    field = f"repositories[{index}]"
    if not isinstance(name, str):
        return FieldProblem(field=field, message="expected str", code="wrong_type", value=shown(name))
    try:
        check_repository_name(name)
    except BadRepositoryName as error:
        return FieldProblem(field=field, message=shown(str(error)), code=error.code, value=shown(name))
    first = first_index.setdefault(name.lower(), index)
    if first != index:
        message = f"is there already, as repositories[{first}]; upper and lower case are the same"
        return FieldProblem(field=field, message=message, code="duplicate_repository", value=name)
    if not is_allowed(name, allowed):
        return FieldProblem(field=field, message=_not_allowed(allowed), code="repository_not_allowed", value=name)
    return None


def _not_allowed(allowed: Sequence[str]) -> str:
    if not allowed:
        return "is not allowed: the setting ALLOWED_REPOSITORIES is empty, which allows none"
    return "is not allowed by the setting ALLOWED_REPOSITORIES"
