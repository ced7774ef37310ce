"""GET /openapi.json and /docs: the API described, for programs and people, with nothing from any other host."""

from importlib import resources
from typing import Annotated

from litestar import Response, get
from litestar.params import PathParameter

from cody_api.auth import OPEN
from cody_api.connections import AnyRequest
from cody_api.openapi import build_document
from cody_api.problems import ProblemError

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}


@get("/openapi.json", opt=OPEN, include_in_schema=False)
async def openapi_document(request: AnyRequest) -> Response[bytes]:
    return Response(build_document(request.app), media_type="application/json")


@get("/docs", opt=OPEN, include_in_schema=False, sync_to_thread=True)
def documentation_page() -> Response[bytes]:
    headers = {"Content-Security-Policy": _PAGE_POLICY}
    return Response(_read("page.html"), media_type="text/html; charset=utf-8", headers=headers)


@get("/docs/{file:str}", opt=OPEN, include_in_schema=False, sync_to_thread=True)
def documentation_file(file: Annotated[str, PathParameter()]) -> Response[bytes]:
    if file not in _FILES:
        raise ProblemError(404, "not_found", "The documentation has no such file.")
    return Response(_read(file), media_type=_FILES[file])


def _read(file: str) -> bytes:
    return resources.files("cody_api").joinpath("docs_page", file).read_bytes()
