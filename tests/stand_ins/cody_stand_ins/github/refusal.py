"""How GitHub says no."""

from collections.abc import Mapping, Sequence
from typing import Any

_DOCUMENTATION = "https://docs.github.com/rest"


class Refusal(Exception):
    """An error answer, whatever was asked."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        documentation: str = _DOCUMENTATION,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self._errors = [dict(error) for error in errors]
        self._documentation = documentation

    @property
    def said(self) -> str:
        """The message, or what the first error says, which is more exact."""
        return next((str(error["message"]) for error in self._errors if error.get("message")), self.message)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message}
        if self._errors:
            body["errors"] = self._errors
        return {**body, "documentation_url": self._documentation, "status": str(self.status)}


def not_found() -> Refusal:
    return Refusal(404, "Not Found")


def invalid(resource: str, message: str, *, field: str | None = None, code: str = "custom") -> Refusal:
    """422, with one error of the resource ("PullRequest")."""
    error: dict[str, Any] = {"resource": resource, "code": code, "message": message}
    if field is not None:
        error["field"] = field
    return Refusal(422, "Validation Failed", errors=[error])
