import pytest

from cody_jobs.errors import MalformedMessage
from cody_jobs.messages import JobStopped, JobSubmitted, Message, decode_message, encode_message


@pytest.mark.parametrize("message", [JobSubmitted(job_id="job-1"), JobStopped(job_id="job-1")])
def test_a_message_survives_the_wire(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


def test_a_message_is_camel_case_json_with_its_kind() -> None:
    assert encode_message(JobSubmitted(job_id="job-1")) == b'{"kind":"job_submitted","jobId":"job-1"}'


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind":"other"}', b'{"kind":"job_submitted"}', b"\xff\xfe"])
def test_what_we_cannot_have_written_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_message(body)
