"""Read a JSON body, and find everything that is wrong with it at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cody_api.problems import FieldProblem, ProblemError, shown

S = TypeVar("S", bound=Struct)

Fields = Mapping[str, tuple[object, Callable[[Any], list[FieldProblem]]]]
"""By name: the loosest type that the field's check takes (the Struct's own limits would stop at the first), and the
check."""


def parse_body(body: bytes, kind: type[S], fields: Fields) -> S:
    """Raise `ProblemError` naming every field that is wrong: 400 for what is not JSON, 422 for the rest."""
    sent = _decode_object(body)
    problems = [*_unknown_fields(sent, kind), *_missing_fields(sent, kind)]
    values: dict[str, object] = {}
    for name, (loose, check) in fields.items():
        if name not in sent:
            continue
        try:
            values[name] = msgspec.json.decode(sent[name], type=loose)
        except msgspec.ValidationError as error:
            problems.append(wrong_type(name, str(error)))
            continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(400, "malformed_json", f"{name}: this is not JSON: {error}") from error
        problems += check(values[name])
    if problems:
        raise _as_error(problems)
    return msgspec.convert(values, kind)


def anything(_value: object) -> list[FieldProblem]:
    """The check of a field whose type says it all."""
    return []


def _decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    if not body.strip():
        raise ProblemError(400, "malformed_json", "The body is empty; it has to be a JSON object.")
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise ProblemError(400, "malformed_json", "The body is not a JSON object.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(400, "malformed_json", f"The body is not JSON: {error}") from error


def _unknown_fields(sent: Mapping[str, object], kind: type[Struct]) -> list[FieldProblem]:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    message = f"there is no such field; there are {', '.join(known)}"
    return [
        FieldProblem(field=shown(name), message=message, code="unknown_field") for name in sent if name not in known
    ]


def _missing_fields(sent: Mapping[str, object], kind: type[Struct]) -> list[FieldProblem]:
    return [
        FieldProblem(field=field.encode_name, message="is required", code="missing_field")
        for field in msgspec.structs.fields(kind)
        if field.required and field.encode_name not in sent
    ]


def wrong_type(name: str, message: str) -> FieldProblem:
    """msgspec says `Expected …, got … - at `$[3]``; the place belongs to the field."""
    words, _, place = message.partition(" - at `$")
    return FieldProblem(field=name + place.rstrip("`"), message=words.replace("`", "").lower(), code="wrong_type")


def _as_error(problems: Sequence[FieldProblem]) -> ProblemError:
    codes = {problem.code for problem in problems}
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    code = first.code if len(codes) == 1 else "invalid_request"
    return ProblemError(422, code, f"{first.field}: {first.message}{more}", errors=problems)
