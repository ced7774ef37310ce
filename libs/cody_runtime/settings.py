"""Settings: frozen Structs filled from environment variables; a bad value stops the start and names the variable.

A field `files_at_once: Annotated[int, Meta(ge=1, description="…")] = 8` is read from `FILES_AT_ONCE`. A field that is
itself a Struct is filled from the same mapping. Lists are separated by commas; booleans are true/false, yes/no, 1/0.
`Annotated[str, Meta(extra={"names": ("CLAUDE_API_KEY", "ANTHROPIC_API_KEY")})]` lists other names, the first one set
wins; `extra={"secret": True}` keeps the value out of messages and tables.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import inspect as shape

from cody_jobs.errors import SettingsError

S = TypeVar("S", bound=msgspec.Struct)
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the settings table."""

    names: tuple[str, ...]
    default: object
    required: bool
    secret: bool
    description: str


def load_settings(kind: type[S], environment: Mapping[str, str]) -> S:
    """Raise `SettingsError` for the first variable that is missing or wrong. Empty variables count as unset."""
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        nested = _nested_struct(field.type)
        if nested is not None:
            values[field.encode_name] = load_settings(nested, environment)
            continue
        names = _names(field)
        name = next((name for name in names if environment.get(name, "").strip()), None)
        if name is None:
            if field.required:
                raise SettingsError(f"{names[0]} is not set. {_description(field)}".strip())
            continue
        values[field.name] = _convert(field, name, environment[name].strip())
    return kind(**values)


def describe_settings(kind: type[msgspec.Struct]) -> list[Setting]:
    """Every variable that `load_settings` reads for this Struct, in order."""
    settings: list[Setting] = []
    for field in msgspec.structs.fields(kind):
        nested = _nested_struct(field.type)
        if nested is not None:
            settings += describe_settings(nested)
            continue
        settings.append(
            Setting(
                names=_names(field),
                default=None if field.required else field.default,
                required=field.required,
                secret=bool(_extra(field).get("secret")),
                description=_description(field),
            )
        )
    return settings


def _convert(field: msgspec.structs.FieldInfo, name: str, text: str) -> object:
    try:
        return msgspec.convert(_plain(field.type, text), field.type, strict=False)
    except msgspec.ValidationError as error:
        shown = "its value" if _extra(field).get("secret") else repr(text)
        raise SettingsError(f"{name}: {shown} is wrong: {error}. {_description(field)}".strip()) from error


def _plain(kind: Any, text: str) -> object:
    described = shape.type_info(kind)
    if isinstance(described, shape.Metadata):
        described = described.type
    if isinstance(described, shape.VarTupleType):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(described, shape.BoolType) and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    return text


def _nested_struct(kind: Any) -> type[msgspec.Struct] | None:
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _meta(field: msgspec.structs.FieldInfo) -> msgspec.Meta | None:
    found = [part for part in get_args(field.type) if isinstance(part, msgspec.Meta)]
    return found[0] if found else None


def _extra(field: msgspec.structs.FieldInfo) -> Mapping[str, Any]:
    meta = _meta(field)
    return (meta.extra or {}) if meta else {}


def _names(field: msgspec.structs.FieldInfo) -> tuple[str, ...]:
    names: Sequence[str] | None = _extra(field).get("names")
    return tuple(names) if names else (field.name.upper(),)


def _description(field: msgspec.structs.FieldInfo) -> str:
    meta = _meta(field)
    return (meta.description or "") if meta else ""
