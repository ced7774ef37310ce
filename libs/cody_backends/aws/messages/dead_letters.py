"""Dead letters: buried by us, with a reason, or moved by SQS itself after too many receives."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cody_backends.aws.messages.bodies import made_sendable
from cody_backends.aws.messages.parcel import Note, Parcel, unpack
from cody_jobs.ports import DeadLetter, ReceivedMessage
from cody_jobs.ports.work_queue import RECEIVES_ALLOWED

if TYPE_CHECKING:
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

_RECEIVED_TOO_OFTEN = f"received {RECEIVES_ALLOWED} times and never deleted"
_REASON_KEPT = 900


def buried(message: ReceivedMessage, reason: str) -> Parcel:
    """SQS gives it a new id, and counts its receives anew: the notes keep what they were."""
    notes: dict[str, str] = {Note.ID: message.id, Note.RECEIVES: str(message.receives)}
    said = made_sendable(reason)[:_REASON_KEPT]
    if said:
        notes[Note.REASON] = said
    return Parcel(body=message.body, attributes=message.attributes, notes=notes)


def dead_letter(message: "MessageTypeDef") -> DeadLetter:
    """One that SQS has moved keeps its id and, for want of another, its time of sending."""
    parcel = unpack(message)
    ours = Note.ID in parcel.notes
    return DeadLetter(
        id=parcel.notes.get(Note.ID) or message.get("MessageId", ""),
        body=parcel.body,
        attributes=parcel.attributes,
        reason=parcel.notes.get(Note.REASON, "" if ours else _RECEIVED_TOO_OFTEN),
        receives=int(parcel.notes.get(Note.RECEIVES, RECEIVES_ALLOWED)),
        died_at=sent_at(message),
    )


def sent_at(message: "MessageTypeDef") -> datetime:
    return datetime.fromtimestamp(int(message.get("Attributes", {})["SentTimestamp"]) / 1000, UTC)
