"""A message as SQS carries it: body, attributes, and notes of our own among the attributes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cody_backends.aws.messages.bodies import decode_body, encode_body, is_sendable
from cody_backends.aws.messages.trace_header import trace_header

if TYPE_CHECKING:
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

BYTES_ALLOWED = 1_048_576
"""Of body and attributes together, names and types included ("Amazon SQS message quotas")."""
_ATTRIBUTES_ALLOWED = 10
_RESERVED_BYTES = 4_096
"""A message that was sent has room for the notes that its burial adds."""
_OURS = "cody."
_TEXT = "String"


class Note(StrEnum):
    """Attributes of our own. The last three are on dead letters that were buried by us."""

    ENCODING = f"{_OURS}encoding"
    ID = f"{_OURS}id"
    RECEIVES = f"{_OURS}receives"
    REASON = f"{_OURS}reason"


class Parcel(Struct, frozen=True, kw_only=True):
    body: bytes
    attributes: Mapping[str, str]
    notes: Mapping[str, str] = {}


def check(parcel: Parcel) -> None:
    """Raises `ValueError` for what SQS would refuse, now or when the message is buried."""
    most = _ATTRIBUTES_ALLOWED - len(Note)
    if len(parcel.attributes) > most:
        raise ValueError(f"a message has at most {most} attributes of its own, not {len(parcel.attributes)}")
    for name, value in parcel.attributes.items():
        if name.startswith(_OURS):
            raise ValueError(f"attributes of messages must not begin with {_OURS}: {name}")
        if not is_sendable(value):
            raise ValueError(f"SQS takes no empty attribute, and no control characters in one: {name}")
    size = _size(pack(parcel))
    if size > BYTES_ALLOWED - _RESERVED_BYTES:
        raise ValueError(f"a message of {size} bytes; SQS takes {BYTES_ALLOWED - _RESERVED_BYTES} at most")


def pack(parcel: Parcel) -> dict[str, Any]:
    """For SendMessage."""
    text, encoding = encode_body(parcel.body)
    notes = {**parcel.notes, **({Note.ENCODING: encoding} if encoding else {})}
    attributes = {str(name): _text(value) for name, value in {**parcel.attributes, **notes}.items()}
    header = trace_header(parcel.attributes.get("traceparent"))
    system = {"AWSTraceHeader": _text(header)} if header else {}
    return {"MessageBody": text, "MessageAttributes": attributes, "MessageSystemAttributes": system}


def unpack(message: "MessageTypeDef") -> Parcel:
    """Attributes that are no text were not written by us, and are left out."""
    given = message.get("MessageAttributes", {})
    texts = {name: value["StringValue"] for name, value in given.items() if "StringValue" in value}
    return Parcel(
        body=decode_body(message.get("Body", ""), texts.get(Note.ENCODING)),
        attributes={name: value for name, value in texts.items() if not name.startswith(_OURS)},
        notes={name: value for name, value in texts.items() if name.startswith(_OURS)},
    )


def _text(value: str) -> dict[str, str]:
    return {"DataType": _TEXT, "StringValue": value}


def _size(packed: Mapping[str, Any]) -> int:
    attributes: Mapping[str, Mapping[str, str]] = packed["MessageAttributes"]
    parts = [(name, *value.values()) for name, value in attributes.items()]
    return len(packed["MessageBody"].encode()) + sum(len(text.encode()) for part in parts for text in part)
