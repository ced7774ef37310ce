"""Pages: how many, and where to go on."""

import re
from typing import Annotated

from litestar.params import QueryParameter

from cody_api.problems import FieldProblem, ProblemError

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Items on one page, 1 to 100.")]
Cursor = Annotated[
    str | None,
    QueryParameter(
        description="The `cursor` of the page before; absent for the first.",
        schema_extra={"pattern": r"^[A-Za-z0-9_-]{1,500}$"},
    ),
]

_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,500}")


def check_cursor(cursor: str | None) -> str | None:
    """Cursors are opaque, but never anything that a database would choke on."""
    if cursor is None:
        return None
    if not _CURSOR.fullmatch(cursor):
        problem = FieldProblem(field="cursor", message="not a cursor of this API", code="bad_cursor")
        raise ProblemError(400, "bad_cursor", "cursor: this is not a cursor that the API gave out.", errors=[problem])
    return cursor
