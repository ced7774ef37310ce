"""OPTIONS on every path: which methods there are."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from cody_api.auth import OPEN


def answer_options(routes: Iterable[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
    """One handler per path. They are to be registered before the others: the framework adds its own where it finds
    none, and that one knows only the first method of its path."""
    methods: defaultdict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for route in routes:
        for path in route.paths:
            methods[path] |= route.http_methods
    return [_handler(path, ", ".join(sorted(allowed))) for path, allowed in methods.items()]


def _handler(path: str, allowed: str) -> HTTPRouteHandler:
    def options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    made = HTTPRouteHandler(path, http_method="OPTIONS", opt=OPEN, include_in_schema=False, sync_to_thread=False)
    return made(options)
