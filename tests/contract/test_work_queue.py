import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cody_jobs.ports import ReceivedMessage, WorkQueue
from cody_jobs.ports.work_queue import RECEIVES_ALLOWED, QueueDepth
from tests.support.wait import wait_until

NOW = timedelta(0)
SOON = timedelta(milliseconds=200)
LONG = timedelta(seconds=30)
ROUNDING = timedelta(seconds=1)
"""SOON lasts at most that long where times are rounded up to whole seconds."""
QUEUE = "jobs"


async def receive_one(queue: WorkQueue, *, visibility: timedelta = LONG, name: str = QUEUE) -> ReceivedMessage:
    """The wait is longer than a test may last: only a message, or a wake-up, can end it in time."""
    async with asyncio.timeout(20):
        [message] = await queue.receive(name, limit=1, wait=timedelta(minutes=10), visibility=visibility)
    return message


async def others_wait(queue: WorkQueue) -> None:
    """Look in vain for as long as those who began before need to find nothing, and to wait."""
    assert await queue.receive("nothing-is-ever-sent-here", limit=1, wait=SOON, visibility=LONG) == []


async def receive_now(queue: WorkQueue, *, limit: int = 10, name: str = QUEUE) -> list[ReceivedMessage]:
    return await queue.receive(name, limit=limit, wait=NOW, visibility=LONG)


async def test_a_queue_that_answers_can_be_pinged(work_queue: WorkQueue) -> None:
    await work_queue.ping()


async def test_a_message_arrives_as_it_was_sent(work_queue: WorkQueue) -> None:
    body = bytes(range(256))
    attributes = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "text": 'ä"\\\n'}

    message_id = await work_queue.send(QUEUE, body, attributes=attributes)
    message = await receive_one(work_queue)

    assert (message.id, message.body, message.attributes, message.receives) == (message_id, body, attributes, 1)
    assert abs(datetime.now(UTC) - message.sent_at) < timedelta(minutes=5)


async def test_a_message_without_attributes_has_none(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"")

    message = await receive_one(work_queue)
    assert (message.body, message.attributes) == (b"", {})


async def test_queues_do_not_mix(work_queue: WorkQueue) -> None:
    await work_queue.send("one", b"1")
    await work_queue.send("two", b"2")

    assert (await receive_one(work_queue, name="two")).body == b"2"
    assert await receive_now(work_queue, name="two") == []
    assert await work_queue.depth("one") == QueueDepth(ready=1, in_flight=0, dead=0)


async def test_at_most_as_many_as_asked_for_are_received(work_queue: WorkQueue) -> None:
    for number in range(12):
        await work_queue.send(QUEUE, str(number).encode())

    first = await receive_now(work_queue, limit=3)
    second = await receive_now(work_queue, limit=10)

    assert (len(first), len(second)) == (3, 9)
    assert len({message.body for message in first + second}) == 12


@pytest.mark.parametrize("limit", [0, 11])
async def test_a_receive_of_none_or_of_more_than_ten_is_an_error(work_queue: WorkQueue, limit: int) -> None:
    with pytest.raises(ValueError, match=str(limit)):
        await receive_now(work_queue, limit=limit)


async def test_an_empty_queue_gives_nothing_after_the_wait(work_queue: WorkQueue) -> None:
    assert await work_queue.receive(QUEUE, limit=1, wait=SOON, visibility=LONG) == []


async def test_a_waiting_receiver_gets_a_message_as_soon_as_it_is_sent(work_queue: WorkQueue) -> None:
    async with asyncio.TaskGroup() as group:
        receivers = [group.create_task(receive_one(work_queue)) for _ in range(3)]
        await others_wait(work_queue)
        for number in range(3):
            await work_queue.send(QUEUE, str(number).encode())

    assert sorted(receiver.result().body for receiver in receivers) == [b"0", b"1", b"2"]


async def test_a_received_message_is_invisible_until_its_time_is_over(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")

    first = await receive_one(work_queue, visibility=SOON)
    assert await receive_now(work_queue) == []
    second = await receive_one(work_queue)

    assert (second.id, second.body, second.receives) == (first.id, b"x", 2)
    assert second.receipt != first.receipt
    assert second.sent_at == first.sent_at


async def test_a_delayed_message_comes_later(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"later", delay=SOON)

    assert await receive_now(work_queue) == []
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=1, dead=0)
    assert (await receive_one(work_queue)).body == b"later"


async def test_a_receiver_that_waits_for_a_delayed_message_takes_one_that_comes_before(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"later", delay=LONG)

    async with asyncio.TaskGroup() as group:
        receiver = group.create_task(receive_one(work_queue))
        await others_wait(work_queue)
        await work_queue.send(QUEUE, b"now")
    assert receiver.result().body == b"now"


async def test_a_deleted_message_never_comes_again(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")

    message = await receive_one(work_queue, visibility=NOW)
    await work_queue.delete(QUEUE, message)
    await work_queue.delete(QUEUE, message)

    assert await receive_now(work_queue) == []
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=0)


async def test_a_stale_receipt_does_not_delete_what_another_has_received(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")
    stale = await receive_one(work_queue, visibility=NOW)
    present = await receive_one(work_queue)

    await work_queue.delete(QUEUE, stale)
    await work_queue.bury(QUEUE, stale, reason="too late")
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=1, dead=0)
    await work_queue.delete(QUEUE, present)
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=0)


async def test_an_extended_message_stays_invisible(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")
    message = await receive_one(work_queue, visibility=SOON)

    await work_queue.extend(QUEUE, message, visibility=LONG)
    again = await work_queue.receive(QUEUE, limit=1, wait=SOON + ROUNDING, visibility=LONG)

    assert again == []


async def test_a_message_whose_time_is_cut_short_comes_at_once(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")
    message = await receive_one(work_queue, visibility=timedelta(minutes=10))

    async with asyncio.TaskGroup() as group:
        receiver = group.create_task(receive_one(work_queue))
        await others_wait(work_queue)
        await work_queue.extend(QUEUE, message, visibility=NOW)
    assert receiver.result().receives == 2


async def test_a_stale_receipt_extends_nothing(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")
    stale = await receive_one(work_queue, visibility=NOW)
    present = await receive_one(work_queue)

    await work_queue.extend(QUEUE, stale, visibility=NOW)

    assert await receive_now(work_queue) == []
    await work_queue.delete(QUEUE, present)


async def test_a_message_that_is_never_deleted_goes_to_the_dead_letters(work_queue: WorkQueue) -> None:
    message_id = await work_queue.send(QUEUE, b"poison", attributes={"a": "b"})
    for count in range(1, RECEIVES_ALLOWED + 1):
        assert (await receive_one(work_queue, visibility=NOW)).receives == count

    assert await receive_now(work_queue) == []
    [dead] = await work_queue.list_dead_letters(QUEUE, limit=10)
    assert (dead.id, dead.body, dead.attributes) == (message_id, b"poison", {"a": "b"})
    assert dead.receives == RECEIVES_ALLOWED
    assert str(RECEIVES_ALLOWED) in dead.reason
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=1)


async def test_poison_does_not_keep_others_from_being_received(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"poison")
    for _ in range(RECEIVES_ALLOWED):
        await receive_one(work_queue, visibility=NOW)
    await work_queue.send(QUEUE, b"good")

    assert [message.body for message in await receive_now(work_queue, limit=1)] == [b"good"]


async def test_a_buried_message_is_dead_at_once_with_the_reason(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"not json")
    message = await receive_one(work_queue)

    await work_queue.bury(QUEUE, message, reason="not a message of ours:\0 x")
    await work_queue.bury(QUEUE, message, reason="twice")

    [dead] = await work_queue.list_dead_letters(QUEUE, limit=10)
    assert (dead.id, dead.body, dead.receives) == (message.id, b"not json", 1)
    assert dead.reason.startswith("not a message of ours:")
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=1)


async def test_dead_letters_are_listed_newest_first(work_queue: WorkQueue) -> None:
    for number in range(4):
        await work_queue.send(QUEUE, str(number).encode())
        await work_queue.bury(QUEUE, await receive_one(work_queue), reason="")

    listed = await work_queue.list_dead_letters(QUEUE, limit=3)

    assert [dead.body for dead in listed] == [b"3", b"2", b"1"]
    assert await work_queue.list_dead_letters("another", limit=3) == []


async def test_redriven_messages_start_anew(work_queue: WorkQueue) -> None:
    for number in range(3):
        await work_queue.send(QUEUE, str(number).encode(), attributes={"n": str(number)})
        await work_queue.bury(QUEUE, await receive_one(work_queue), reason="")
    await work_queue.send("another", b"")
    await work_queue.bury("another", await receive_one(work_queue, name="another"), reason="")

    assert await work_queue.redrive(QUEUE) == 3
    assert await work_queue.redrive(QUEUE) == 0

    again = await receive_now(work_queue)
    assert {(message.body, message.attributes["n"], message.receives) for message in again} == {
        (b"0", "0", 1),
        (b"1", "1", 1),
        (b"2", "2", 1),
    }
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=3, dead=0)
    assert (await work_queue.depth("another")).dead == 1


async def test_a_redrive_wakes_a_waiting_receiver(work_queue: WorkQueue) -> None:
    await work_queue.send(QUEUE, b"x")
    await work_queue.bury(QUEUE, await receive_one(work_queue), reason="")

    async with asyncio.TaskGroup() as group:
        receiver = group.create_task(receive_one(work_queue))
        await others_wait(work_queue)
        await work_queue.redrive(QUEUE)
    assert receiver.result().body == b"x"


async def test_depth_counts_what_is_ready_in_flight_and_dead(work_queue: WorkQueue) -> None:
    for _ in range(4):
        await work_queue.send(QUEUE, b"")
    await work_queue.bury(QUEUE, await receive_one(work_queue), reason="")
    await receive_one(work_queue)

    assert await work_queue.depth(QUEUE) == QueueDepth(ready=2, in_flight=1, dead=1)


async def test_eight_consumers_drain_a_queue_and_no_message_is_left(work_queue: WorkQueue) -> None:
    received = await drain(work_queue, messages=80)

    assert set(received) == {str(number).encode() for number in range(80)}
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=0)


# More than is promised: moto's threads may deliver a message twice, as SQS may.
@pytest.mark.parametrize("work_queue", ["postgres", "postgres, answers lost", "ElasticMQ"], indirect=True)
async def test_eight_consumers_drain_a_queue_and_each_message_is_received_once(work_queue: WorkQueue) -> None:
    received = await drain(work_queue, messages=500)

    assert sorted(received, key=int) == [str(number).encode() for number in range(500)]
    assert await work_queue.depth(QUEUE) == QueueDepth(ready=0, in_flight=0, dead=0)


async def drain(queue: WorkQueue, *, messages: int) -> list[bytes]:
    """What eight consumers received."""
    for number in range(messages):
        await queue.send(QUEUE, str(number).encode())
    received: list[bytes] = []

    async def consume() -> None:
        while messages := await receive_now(queue):
            for message in messages:
                received.append(message.body)
                await queue.delete(QUEUE, message)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(consume())

    # Whoever finds every visible message locked by others goes home: what those could not take is left.
    await consume()
    return received


async def test_a_cancelled_receiver_loses_no_message(work_queue: WorkQueue) -> None:
    receiver = asyncio.create_task(work_queue.receive(QUEUE, limit=1, wait=LONG, visibility=SOON))
    await asyncio.sleep(0)
    receiver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiver
    await work_queue.send(QUEUE, b"x")

    assert (await receive_one(work_queue)).body == b"x"
    await wait_until(lambda: receiver.done(), "the receiver has ended")


async def test_a_receiver_that_is_cancelled_while_it_waits_loses_no_message(work_queue: WorkQueue) -> None:
    receiver = asyncio.create_task(work_queue.receive(QUEUE, limit=1, wait=LONG, visibility=SOON))
    await others_wait(work_queue)
    receiver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiver
    await work_queue.send(QUEUE, b"x")

    assert (await receive_one(work_queue)).body == b"x"
