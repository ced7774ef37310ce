"""A write to a table, as data: its parameters for PutItem, UpdateItem, DeleteItem and TransactWriteItems.

In expressions every name is written `#name` (many of ours are reserved words), every value `:value`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from msgspec import Struct

Value = str | int | bool | bytes | Decimal | list[Any] | dict[str, Any] | None
Key = Mapping[str, str]

_NAME = re.compile(r"#(\w+)")
_serializer: Any = TypeSerializer()
_deserializer: Any = TypeDeserializer()


class Put(Struct, frozen=True, kw_only=True):
    """A whole item; attributes that are None are left out."""

    table: str
    item: Mapping[str, Value]
    condition: str = ""
    values: Mapping[str, Value] = {}


class Update(Struct, frozen=True, kw_only=True):
    """`set` assigns attributes (None removes them), `add` adds to numbers (which begin at 0), `expressions` are further
    assignments, `removals` further paths to remove. `names` are placeholders other than `#name` for `name`. One that is
    not `marked` leaves the item's mark as it is."""

    table: str
    key: Key
    set: Mapping[str, Value] = {}
    add: Mapping[str, int] = {}
    expressions: tuple[str, ...] = ()
    removals: tuple[str, ...] = ()
    condition: str = ""
    values: Mapping[str, Value] = {}
    names: Mapping[str, str] = {}
    marked: bool = True


class Delete(Struct, frozen=True, kw_only=True):
    table: str
    key: Key
    condition: str = ""
    values: Mapping[str, Value] = {}


class Check(Struct, frozen=True, kw_only=True):
    """Writes nothing: a transaction happens only while this holds."""

    table: str
    key: Key
    condition: str
    values: Mapping[str, Value] = {}


Write = Put | Update | Delete | Check


def parameters(write: Write) -> dict[str, Any]:
    """Of the request, without what it returns."""
    match write:
        case Put():
            parts = {"Item": typed({name: value for name, value in write.item.items() if value is not None})}
            return {"TableName": write.table, **parts, **_expressions("", write.condition, write.values, {})}
        case Delete() | Check():
            parts = {"Key": typed(write.key)}
            return {"TableName": write.table, **parts, **_expressions("", write.condition, write.values, {})}
        case Update():
            values = {**write.values, **_assigned(write), **{f":add_{name}": by for name, by in write.add.items()}}
            expressions = _expressions(_update_expression(write), write.condition, values, write.names)
            return {"TableName": write.table, "Key": typed(write.key), **expressions}


def kind_of(write: Write) -> str:
    """Its name in a transaction."""
    return "ConditionCheck" if isinstance(write, Check) else type(write).__name__


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Python values as DynamoDB's typed attributes."""
    return {name: _typed(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    """Most values are text or whole numbers: for these the serializer takes ten times as long as is needed."""
    if type(value) is str:
        return {"S": value}
    if type(value) is int:
        return {"N": str(value)}
    return _serializer.serialize(value)


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB's typed attributes as Python values."""
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def names_in(*expressions: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """ExpressionAttributeNames of these expressions."""
    more = more or {}
    found = {f"#{name}" for expression in expressions for name in _NAME.findall(expression)}
    return {name: more.get(name, name[1:]) for name in sorted(found)}


def _assigned(write: Update) -> dict[str, Value]:
    return {f":set_{name}": value for name, value in write.set.items() if value is not None}


def _update_expression(write: Update) -> str:
    assignments = [f"#{name} = :set_{name}" for name, value in write.set.items() if value is not None]
    assignments += write.expressions
    removals = [f"#{name}" for name, value in write.set.items() if value is None] + list(write.removals)
    additions = [f"#{name} :add_{name}" for name in write.add]
    parts = (("SET", assignments), ("REMOVE", removals), ("ADD", additions))
    return " ".join(f"{verb} {', '.join(what)}" for verb, what in parts if what)


def _expressions(
    update: str, condition: str, values: Mapping[str, Value], more_names: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if update:
        found["UpdateExpression"] = update
    if condition:
        found["ConditionExpression"] = condition
    names = names_in(update, condition, more=more_names)
    if names:
        found["ExpressionAttributeNames"] = names
    if values:
        found["ExpressionAttributeValues"] = typed(values)
    return found
