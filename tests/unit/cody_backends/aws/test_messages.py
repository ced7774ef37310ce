import pytest

from cody_backends.aws.messages.dead_letters import dead_letter
from cody_backends.aws.messages.parcel import Parcel, pack, unpack
from cody_backends.aws.messages.trace_header import trace_header


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "00-0123456789abcdef0123456789abcdef-0123456789abcdef",
        "00-00000000000000000000000000000000-0123456789abcdef-01",
        "00-0123456789abcdef0123456789abcdef-0000000000000000-01",
        "00-0123456789ABCDEF0123456789ABCDEF-0123456789abcdef-01",
        "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\n",
    ],
)
def test_what_is_no_traceparent_makes_no_header(traceparent: str | None) -> None:
    assert trace_header(traceparent) is None


def test_a_trace_that_is_not_recorded_is_not_recorded_by_x_ray() -> None:
    header = trace_header("00-0123456789abcdef0123456789abcdef-0123456789abcdef-02")
    assert header is not None
    assert header.endswith(";Sampled=0")


def test_a_message_without_a_trace_has_no_header() -> None:
    packed = pack(Parcel(body=b"x", attributes={}))
    assert packed == {"MessageBody": "x", "MessageAttributes": {}, "MessageSystemAttributes": {}}


@pytest.mark.parametrize("encoding", ["base64", "rot13"])
def test_a_body_that_is_not_what_it_says_is_taken_as_it_is(encoding: str) -> None:
    text = "not base64 at all!"
    parcel = unpack(
        {"Body": text, "MessageAttributes": {"cody.encoding": {"DataType": "String", "StringValue": encoding}}}
    )
    assert parcel.body == text.encode()


def test_attributes_that_are_no_text_are_left_out() -> None:
    parcel = unpack(
        {
            "Body": "x",
            "MessageAttributes": {
                "bytes": {"DataType": "Binary", "BinaryValue": b"\0"},
                "number": {"DataType": "Number", "StringValue": "7"},
            },
        }
    )
    assert parcel.attributes == {"number": "7"}


def test_a_letter_that_sqs_has_moved_itself_says_so() -> None:
    letter = dead_letter({"MessageId": "m", "Body": "x", "Attributes": {"SentTimestamp": "0"}})
    assert (letter.id, letter.reason, letter.receives) == ("m", "received 5 times and never deleted", 5)
