"""What the work queue on PostgreSQL does in a second, with few and with 100,000 messages waiting.

    ./dev bench queue_throughput [--waiting 0 100000] [--messages 2000]

Sends one after the other and by eight senders; receives ten at a time and deletes each, by one and by four consumers;
and how long a message takes to a receiver that waits for it. The embedded server, with everything that makes messages
survive a power cut. Connections come from one pool, as in a program that has so many.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial

from msgspec import Struct

from benchmarks.tables import print_head, print_machine, print_row
from cody_backends.open_backends import open_backends
from cody_backends.postgres.connection import Connection
from cody_backends.postgres.open_database import open_database
from cody_backends.settings import BackendSettings
from cody_jobs.messages import JobSubmitted, encode_message
from cody_jobs.ports import WorkQueue
from demo.clean_end import temporary_data

QUEUE = "bench"
BODY = encode_message(JobSubmitted(job_id="job-bench"))
ATTRIBUTES = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}
SENDERS, CONSUMERS = 8, 4
WAKE_UPS = 50
VISIBILITY = timedelta(minutes=5)
NO_WAIT = timedelta(0)


class Measured(Struct, frozen=True, kw_only=True):
    """Messages a second, and seconds from a send to the end of the receive that waited for it."""

    sent_by_one: float
    sent_by_eight: float
    taken_by_one: float
    taken_by_four: float
    wake_ups: list[float]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, nargs="+", default=[0, 100_000], help="messages in the queue already")
    parser.add_argument("--messages", type=int, default=2_000, help="messages of each measurement")
    options = parser.parse_args()
    print_machine()
    print_head(
        "waiting",
        "sends/s, one sender",
        f"sends/s, {SENDERS} senders",
        "received and deleted/s, one consumer",
        f"{CONSUMERS} consumers",
        "wake-up median ms",
        "longest ms",
    )
    for waiting in options.waiting:
        show(waiting, asyncio.run(measure(waiting, options.messages)))


def show(waiting: int, measured: Measured) -> None:
    rates = (measured.sent_by_one, measured.sent_by_eight, measured.taken_by_one, measured.taken_by_four)
    wake_ups = (statistics.median(measured.wake_ups), max(measured.wake_ups))
    print_row(f"{waiting:,}", *(f"{rate:,.0f}" for rate in rates), *(f"{each * 1000:.1f}" for each in wake_ups))


async def measure(waiting: int, messages: int) -> Measured:
    async with temporary_data() as folder:
        settings = BackendSettings(cody_data=str(folder / "data"), database_connections=SENDERS)
        await fill(settings, waiting)
        async with open_backends(settings) as backends:
            queue = backends.queue
            return Measured(
                sent_by_one=await rate(messages, send(queue, messages)),
                sent_by_eight=await rate(messages, *(send(queue, messages // SENDERS) for _ in range(SENDERS))),
                taken_by_one=await rate(messages, take(queue, messages)),
                taken_by_four=await rate(messages, *(take(queue, messages // CONSUMERS) for _ in range(CONSUMERS))),
                wake_ups=[await wake_up(queue) for _ in range(WAKE_UPS)],
            )


async def fill(settings: BackendSettings, waiting: int) -> None:
    """Messages that were sent before and that nobody has taken, written in one statement, as sending takes minutes."""
    async with open_database(settings) as database:
        await database.run_statement(partial(insert, waiting=waiting))


async def insert(connection: Connection, *, waiting: int) -> None:
    await connection.execute(
        """
        INSERT INTO messages (id, queue, body, attributes, visible_at)
        SELECT gen_random_uuid(), $1, $2, $3, now() - interval '1 hour' FROM generate_series(1, $4::integer)
        """,
        QUEUE,
        BODY,
        ATTRIBUTES,
        waiting,
    )
    await connection.execute("ANALYZE messages")


async def rate(messages: int, *work: Coroutine[None, None, None]) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*work)
    return messages / (time.perf_counter() - begun)


async def send(queue: WorkQueue, messages: int) -> None:
    for _ in range(messages):
        await queue.send(QUEUE, BODY, attributes=ATTRIBUTES)


async def take(queue: WorkQueue, messages: int) -> None:
    taken = 0
    while taken < messages:
        received = await queue.receive(QUEUE, limit=min(10, messages - taken), wait=NO_WAIT, visibility=VISIBILITY)
        for message in received:
            await queue.delete(QUEUE, message)
        taken += len(received)


async def wake_up(queue: WorkQueue) -> float:
    """On a queue of its own, where the receiver has to wait; in the same table as all that is waiting elsewhere."""
    receiving = asyncio.create_task(
        queue.receive("bench-empty", limit=1, wait=timedelta(seconds=20), visibility=VISIBILITY)
    )
    await asyncio.sleep(0.05)  # it is waiting by now: what it takes to begin to wait is not measured
    begun = time.perf_counter()
    await queue.send("bench-empty", BODY)
    (message,) = await receiving
    seconds = time.perf_counter() - begun
    await queue.delete("bench-empty", message)
    return seconds


if __name__ == "__main__":
    main()
