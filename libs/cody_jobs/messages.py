"""Messages on the jobs queue: JSON with a `kind`; trace context travels beside them, in message attributes."""

import msgspec

from cody_jobs.errors import MalformedMessage

JOBS_QUEUE = "cody-batch-job-queue"


class JobSubmitted(msgspec.Struct, frozen=True, kw_only=True, tag="job_submitted", tag_field="kind", rename="camel"):
    """A job is PENDING: hand its queued runs to compute."""

    job_id: str


class JobStopped(msgspec.Struct, frozen=True, kw_only=True, tag="job_stopped", tag_field="kind", rename="camel"):
    """A job was cancelled or stopped: whatever compute still runs for it can be ended."""

    job_id: str


Message = JobSubmitted | JobStopped

_decoder = msgspec.json.Decoder(Message)


def encode_message(message: Message) -> bytes:
    return msgspec.json.encode(message)


def decode_message(body: bytes) -> Message:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"not a message of ours: {error}") from error
