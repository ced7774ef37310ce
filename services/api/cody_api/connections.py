"""Litestar's generic types, filled in once."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

AnyRequest = Request[Any, Any, State]
Connection = ASGIConnection[Any, Any, Any, State]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None] | None]
ExceptionHandlers = dict[int | type[Exception], Callable[[AnyRequest, Any], Response[Any]]]
