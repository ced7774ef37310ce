"""What SQS makes of messages and of trouble, beyond the port's promise."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws
from cody_backends.aws.errors import Missing
from cody_backends.aws.messages.deliveries import Deliveries
from cody_backends.aws.messages.sqs_calls import SqsCalls
from cody_backends.aws.settings import AwsSettings
from cody_backends.aws.work_queue import SqsWorkQueue, open_work_queue
from cody_jobs.errors import SettingsError, Unavailable
from cody_jobs.messages import JOBS_QUEUE, JobSubmitted, encode_message
from cody_jobs.ports import QueueDepth, ReceivedMessage
from cody_stand_ins.relay import Trouble, relay_to
from tests.servers.aws_server import REGION, AwsServer
from tests.support.aws import delete_queues, environment_of
from tests.support.sqs_queues import create_queues, use_queues

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

NOW = timedelta(0)
LONG = timedelta(seconds=30)
QUEUE = "jobs"
TRACEPARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


@pytest.fixture
async def queue(elasticmq: AwsServer) -> AsyncGenerator[SqsWorkQueue]:
    async with use_queues(elasticmq) as opened:
        yield opened


@pytest.fixture
async def name(elasticmq: AwsServer) -> str:
    """A queue with dead letters, known by its own name."""
    own = elasticmq.unused_name("jobs")
    async with elasticmq.sqs() as client:
        await create_queues(client, own)
    return own


@asynccontextmanager
async def queue_at(url: str, *, patience: float = 20) -> AsyncGenerator[SqsWorkQueue]:
    """As programs open it."""
    with environment_of(AwsServer(url).environment("sqs")):
        async with open_work_queue(Aws(AwsSettings(aws_region=REGION)), operation_patience=patience) as opened:
            yield opened


async def receive(queue: SqsWorkQueue, *, visibility: timedelta = LONG, name: str = QUEUE) -> ReceivedMessage:
    [message] = await queue.receive(name, limit=1, wait=NOW, visibility=visibility)
    return message


async def raw(server: AwsServer, name: str) -> "MessageTypeDef":
    """A message as others see it."""
    async with server.sqs() as client:
        url = (await client.get_queue_url(QueueName=name))["QueueUrl"]
        told = await client.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])
    [message] = told.get("Messages", [])
    return message


async def test_a_message_of_ours_is_readable_on_the_queue_and_continues_the_trace_for_x_ray(
    elasticmq: AwsServer, name: str
) -> None:
    body = encode_message(JobSubmitted(job_id="job-1"))
    async with queue_at(elasticmq.url) as queue:
        await queue.send(name, body, attributes={"traceparent": TRACEPARENT})

    message = await raw(elasticmq, name)

    assert message.get("Body") == body.decode()
    sent = {key: value.get("StringValue") for key, value in message.get("MessageAttributes", {}).items()}
    assert sent == {"traceparent": TRACEPARENT}
    header = message.get("Attributes", {}).get("AWSTraceHeader")
    assert header == "Root=1-01234567-89abcdef0123456789abcdef;Parent=0123456789abcdef;Sampled=1"


async def test_a_dead_letter_and_a_redriven_message_stay_in_their_trace(elasticmq: AwsServer, name: str) -> None:
    async with queue_at(elasticmq.url) as queue:
        await queue.send(name, b"x", attributes={"traceparent": TRACEPARENT})
        await queue.bury(name, await receive(queue, name=name), reason="why")
        [dead] = await queue.list_dead_letters(name, limit=1)
        await queue.redrive(name)

    again = await raw(elasticmq, name)

    assert dead.attributes == {"traceparent": TRACEPARENT}
    assert set(again.get("MessageAttributes", {})) == {"traceparent"}
    assert "Parent=0123456789abcdef" in again.get("Attributes", {}).get("AWSTraceHeader", "")


async def test_any_bytes_arrive_as_they_were_sent(queue: SqsWorkQueue) -> None:
    """Among them what SQS would refuse: nothing, control characters, half characters, what only looks like base64."""
    chance = random.Random(4)
    odd = [b"", b"\0", b"-", b"=", b"eA==", b"\r\n\t ", "\ufeffä\ufffd\U0010ffff".encode(), b"\xed\xa0\x80", b"a\x1bb"]
    drawn = [chance.randbytes(chance.randrange(1, 40)) for _ in range(20)]
    texts = ["".join(chance.choices("\x01a\n\x7f\x85é\ufffe\ud7ff𝄞", k=6)).encode() for _ in range(20)]
    bodies = [*odd, *drawn, *texts]

    for body in bodies:
        await queue.send(QUEUE, body)
    arrived = [(await receive(queue)).body for _ in bodies]

    assert sorted(arrived) == sorted(bodies)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_the_longest_message_can_be_sent_and_buried_with_a_long_reason(queue: SqsWorkQueue) -> None:
    body = b"x" * (1_048_576 - 4_096)
    with pytest.raises(ValueError, match="1044481 bytes; SQS takes 1044480"):
        await queue.send(QUEUE, body + b"x")

    await queue.send(QUEUE, body)
    await queue.bury(QUEUE, await receive(queue), reason="\N{PILE OF POO}" * 5_000)

    [dead] = await queue.list_dead_letters(QUEUE, limit=1)
    assert dead.body == body
    assert dead.reason == "\N{PILE OF POO}" * 900


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({str(number): "x" for number in range(7)}, "at most 6 attributes"),
        ({"empty": ""}, "no empty attribute.*: empty"),
        ({"control": "a\x01"}, "no control characters in one: control"),
        ({"cody.reason": "x"}, "must not begin with cody"),
    ],
)
async def test_attributes_that_sqs_would_refuse_are_named(
    queue: SqsWorkQueue, attributes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        await queue.send(QUEUE, b"x", attributes=attributes)


async def test_times_beyond_those_of_sqs_are_named(queue: SqsWorkQueue) -> None:
    with pytest.raises(ValueError, match="from 0 to 900 seconds here, not 901"):
        await queue.send(QUEUE, b"x", delay=timedelta(seconds=901))
    with pytest.raises(ValueError, match="from 0 to 43200 seconds here, not 43201"):
        await queue.receive(QUEUE, limit=1, wait=NOW, visibility=timedelta(seconds=43_201))


class NotedClient:
    """Answers each receive with the next of these lists."""

    def __init__(self, answers: Sequence[Sequence[Any]]) -> None:
        self._answers = iter(answers)
        self.asked: list[tuple[int, int]] = []

    async def get_queue_url(self, *, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    async def receive_message(self, *, WaitTimeSeconds: int, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:
        self.asked.append((WaitTimeSeconds, VisibilityTimeout))
        return {"Messages": next(self._answers)}


SENT: Any = {
    "MessageId": "m",
    "ReceiptHandle": "r",
    "Body": "x",
    "Attributes": {"SentTimestamp": "1700000000123", "ApproximateReceiveCount": "1"},
}


NOTHING: list[Any] = []


@pytest.mark.parametrize(
    ("wait", "answers", "waits"),
    [
        (timedelta(minutes=10), (NOTHING, NOTHING, [SENT]), [20, 20, 20]),
        (timedelta(milliseconds=1200), ([SENT],), [2]),
        (NOW, (NOTHING, NOTHING), [0, 0]),
    ],
)
async def test_a_wait_is_made_of_long_polls(wait: timedelta, answers: tuple[list[Any], ...], waits: list[int]) -> None:
    client = NotedClient(answers)
    queue = SqsWorkQueue(SqsCalls(cast("SQSClient", client), Calls("SQS", patience=1)))

    messages = await queue.receive(QUEUE, limit=1, wait=wait, visibility=timedelta(seconds=1.5))

    assert client.asked == [(seconds, 2) for seconds in waits]
    assert [message.sent_at for message in messages] == [
        datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC) for _ in answers[-1]
    ]


async def test_looking_at_dead_letters_changes_nothing(queue: SqsWorkQueue) -> None:
    for number in range(12):
        await queue.send(QUEUE, str(number).encode())
        await queue.bury(QUEUE, await receive(queue), reason=f"reason {number}")

    first = await queue.list_dead_letters(QUEUE, limit=12)
    again = await queue.list_dead_letters(QUEUE, limit=12)

    assert [letter.body for letter in first] == [str(number).encode() for number in reversed(range(12))]
    assert again == first
    assert await queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=12)


async def test_a_redrive_ends_however_fast_its_messages_die_again(queue: SqsWorkQueue) -> None:
    for _ in range(15):
        await queue.send(QUEUE, b"poison")
        await queue.bury(QUEUE, await receive(queue), reason="")

    async def bury_all() -> None:
        while True:
            for message in await queue.receive(QUEUE, limit=10, wait=LONG, visibility=LONG):
                await queue.bury(QUEUE, message, reason="again")

    burying = asyncio.create_task(bury_all())
    moved = await asyncio.wait_for(queue.redrive(QUEUE), 20)
    burying.cancel()
    await asyncio.gather(burying, return_exceptions=True)

    assert moved == 15


async def test_what_another_process_has_received_since_is_neither_buried_nor_deleted(
    elasticmq: AwsServer, name: str
) -> None:
    async with queue_at(elasticmq.url) as ours, queue_at(elasticmq.url) as theirs:
        await ours.send(name, b"x")
        stale = await receive(ours, visibility=NOW, name=name)
        await receive(theirs, name=name)

        await ours.extend(name, stale, visibility=NOW)
        await ours.bury(name, stale, reason="too late")
        await ours.delete(name, stale)

        assert await ours.depth(name) == QueueDepth(ready=0, in_flight=1, dead=0)


def test_of_the_deliveries_the_latest_are_known() -> None:
    deliveries = Deliveries(kept=2)
    first, second = delivery("a", receives=1), delivery("a", receives=2)
    deliveries.note(second)
    deliveries.note(first)
    assert (deliveries.is_stale(first), deliveries.is_stale(second)) == (True, False)

    deliveries.note(delivery("b", receives=1))
    deliveries.note(delivery("c", receives=1))
    assert not deliveries.is_stale(first)


def delivery(message_id: str, *, receives: int) -> ReceivedMessage:
    return ReceivedMessage(
        id=message_id, receipt="", body=b"", attributes={}, receives=receives, sent_at=datetime.now(UTC)
    )


async def test_throttled_calls_and_lost_answers_lose_no_message(elasticmq: AwsServer, name: str) -> None:
    bodies = {str(number).encode() for number in range(20)}
    received: set[bytes] = set()
    async with relay_to(elasticmq.url) as relay, queue_at(relay.url) as queue:
        await relay.make(Trouble(throttled=0.2, lost=0.1, seed=1))
        for body in bodies:
            await queue.send(name, body)
        async with asyncio.timeout(60):
            while received != bodies:
                for message in await queue.receive(name, limit=10, wait=LONG, visibility=timedelta(seconds=1)):
                    received.add(message.body)
                    await queue.delete(name, message)
        stats = await relay.stats()

    assert sum(stats.throttled.values()) > 2
    assert sum(stats.lost.values()) > 2


async def test_an_endpoint_that_is_not_there_is_unavailable(unused_tcp_port: int) -> None:
    async with queue_at(f"http://127.0.0.1:{unused_tcp_port}", patience=0.2) as queue:
        with pytest.raises(Unavailable, match=f"SQS in {REGION}: .*{unused_tcp_port}"):
            await queue.send(QUEUE, b"x")
        with pytest.raises(Unavailable, match=str(unused_tcp_port)):
            await queue.ping()


async def test_a_missing_queue_is_named_with_what_to_do(elasticmq: AwsServer) -> None:
    await delete_queues(elasticmq)
    missing = elasticmq.unused_name("jobs")
    async with queue_at(elasticmq.url) as queue:
        with pytest.raises(Missing, match=f"no queue {missing}; look at AWS_REGION, or .*cody-batch ops bootstrap"):
            await queue.send(missing, b"x")
        async with elasticmq.sqs() as client:
            await create_queues(client, missing)
            await queue.send(missing, b"found")
            await client.delete_queue(QueueUrl=(await client.get_queue_url(QueueName=missing))["QueueUrl"])
        with pytest.raises(SettingsError, match=f"no queue {missing}"):
            await queue.send(missing, b"x")
        with pytest.raises(SettingsError, match=f"no queue {JOBS_QUEUE}"):
            await queue.ping()


async def test_a_missing_permission_is_named() -> None:
    said = "User: arn:aws:iam::1:user/x is not authorized to perform: sqs:getqueueurl"
    body = f'{{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"{said}"}}'.encode()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nx-amzn-query-error: AccessDenied;Sender\r\nconnection: close\r\n")
        writer.write(b"content-type: application/x-amz-json-1.0\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with queue_at(f"http://127.0.0.1:{port}") as queue:
            with pytest.raises(SettingsError, match=r"not permitted: .*sqs:getqueueurl; add it to the program's role"):
                await queue.send(QUEUE, b"x")
