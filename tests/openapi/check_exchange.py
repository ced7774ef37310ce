"""One call of REST against the description: what was sent, and what came back."""

from collections.abc import Iterator
from typing import Any, cast

from jsonschema.exceptions import ValidationError
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cody_stand_ins.github.record import Exchange
from tests.openapi.description import Description, Operation, Schema
from tests.openapi.oddities import DROPPED_BY_NEWER, EVERYWHERE, NEWER, is_known_null, is_undescribed

_DOCUMENT = "urn:github"
_ERROR: Schema = {"$ref": "#/components/schemas/basic-error"}


class Checker:
    def __init__(self, description: Description) -> None:
        self._description = description
        resource: Any = Resource.from_contents(description.document, default_specification=DRAFT202012)
        empty: Any = Registry()  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] (it has none)
        self._registry = empty.with_resource(_DOCUMENT, resource)

    def problems(self, exchange: Exchange) -> Iterator[str]:
        """Each with the operation that it is about."""
        operation = self._description.operation(exchange.method, exchange.path)
        if operation is None:
            if is_undescribed(f"{exchange.method} {exchange.path}"):
                return
            yield f"{exchange.method} {exchange.path}: GitHub has no such operation"
            return
        for problem in (*self._of_request(operation, exchange), *self._of_answer(operation, exchange)):
            yield f"{operation.name} [{exchange.status}]: {problem}"

    def _of_request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        if exchange.status >= 400:
            return  # refused: what was wrong with it is what the answer is about
        known = {one["name"]: one for one in operation.parameters if one["in"] == "query"}
        yield from (f"unknown query parameter {name}" for name in exchange.query.keys() - known.keys())
        for name, one in known.items():
            if name in exchange.query:
                yield from self._errors(operation, one["schema"], _typed(exchange.query[name], one), f"query {name}")
            elif one.get("required"):
                yield f"query parameter {name} is missing"
        yield from self._of_body(operation, exchange)

    def _of_body(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        if exchange.body is None:
            if operation.body is not None and operation.body.get("required"):
                yield "the body is missing"
        elif operation.body is None:
            yield "a body that nobody asked for"
        else:
            yield from self._errors(operation, _schema(operation.body), exchange.body, "request")

    def _of_answer(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        described = operation.answers.get(str(exchange.status))
        if described is None and exchange.status not in EVERYWHERE:
            yield "the description has no such status"
        schema = _schema(described) if described is not None else None
        if schema is None and exchange.status >= 300:
            schema = _ERROR  # GitHub says more in these than the description has
        if exchange.answer is None:
            return
        if schema is None:
            yield "a body where the description has none"
            return
        for error in self._found(schema, exchange.answer):
            if not _is_known(operation, exchange, error):
                yield _said(error, "answer")

    def _errors(self, operation: Operation, schema: Schema | None, value: Any, what: str) -> Iterator[str]:
        if schema is not None:
            yield from (_said(error, what) for error in self._found(schema, value))

    def _found(self, schema: Schema, value: Any) -> Iterator[ValidationError]:
        validator: Any = OAS30Validator(
            _absolute(schema), registry=self._registry, format_checker=OAS30Validator.FORMAT_CHECKER
        )
        yield from validator.iter_errors(value)


def _schema(described: Schema) -> Schema | None:
    """That of JSON; None where no body is described."""
    content = described.get("content", {})
    return next((one["schema"] for kind, one in content.items() if "json" in kind and "schema" in one), None)


def _absolute(schema: Any) -> Any:
    """References into the whole document, wherever this part of it came from. Discriminators are left out: the schemas
    exclude each other without, and a list has no property to tell by."""
    if isinstance(schema, list):
        return [_absolute(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    return {
        name: f"{_DOCUMENT}{value}" if name == "$ref" and isinstance(value, str) else _absolute(value)
        for name, value in cast("dict[str, Any]", schema).items()
        if name != "discriminator"
    }


def _typed(text: str, parameter: Schema) -> Any:
    match parameter["schema"].get("type"):
        case "integer":
            return int(text) if text.lstrip("-").isdecimal() else text
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case _:
            return text


def _is_known(operation: Operation, exchange: Exchange, error: ValidationError) -> bool:
    place = _place(error)
    if error.instance is None and is_known_null(operation.name, place):
        return True
    dropped = error.validator == "required" and exchange.version == NEWER
    return dropped and any(f"'{name}' is a required property" == error.message for name in DROPPED_BY_NEWER)


def _place(error: ValidationError) -> str:
    return "/".join(str(part) for part in error.absolute_path)


def _said(error: ValidationError, what: str) -> str:
    """With the deepest reason, where several schemas were tried."""
    while error.context:
        error = min(error.context, key=lambda one: len(one.absolute_path))
    return f"{what} {_place(error)}: {error.message[:200]}"
