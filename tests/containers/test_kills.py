"""Containers are killed at steps of the flow, chosen by a seed: whatever dies, the job ends as an undisturbed one."""

import json
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import msgspec
import pytest

from cody_stand_ins.claude.faults import Faults
from tests.containers.stack import Stack, address, container, kill, podman, start, workers
from tests.servers.aws_server import AwsServer
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

PROMPT = "Rewrite Optional[X] to X | None."
STEPS = ("accepted", "dispatched", "worker started", "first answer", "half answered", "first run ended")
VICTIMS = ("api", "dispatcher", "worker", "postgres", "dynamodb", "elasticmq", "moto", "claude")
REPOSITORIES, FILES = 4, 4
SEED = int(os.environ.get("KILLS_SEED", "4"))
KILLS = int(os.environ.get("KILLS", "8"))


def choose_kills() -> list[tuple[str, str]]:
    """Every victim comes once before any comes twice, and each time at another step."""
    chance = random.Random(SEED)
    victims = list(VICTIMS)
    chance.shuffle(victims)
    first = {victim: chance.randrange(len(STEPS)) for victim in victims}
    rounds = -(-KILLS // len(victims))
    kills = [(victim, STEPS[(first[victim] + number) % len(STEPS)]) for number in range(rounds) for victim in victims]
    return kills[:KILLS]


@pytest.fixture
async def slow_claude() -> AsyncGenerator[None]:
    """So that there is a middle to be killed in."""
    await set_latency(0.4)
    yield
    await set_latency(0)


async def set_latency(seconds: float) -> None:
    """It may have been killed and started a moment ago."""
    faults = msgspec.json.encode(Faults(latency=seconds))

    async def is_set() -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://{address('claude')}:8081") as claude:
                (await claude.post("/stand-in/reset")).raise_for_status()
                (await claude.post("/stand-in/faults", content=faults)).raise_for_status()
        except httpx.TransportError:
            return False
        return True

    await wait_until(is_set, "the stand-in for Claude answers", timeout=60)


@pytest.mark.parametrize(("victim", "step"), choose_kills())
async def test_a_killed_container_changes_nothing_of_how_a_job_ends(
    stack: Stack, slow_claude: None, victim: str, step: str
) -> None:
    names = make(stack, f"{victim}-{step}".replace(" ", "-"))
    job_id = await stack.submit(names, PROMPT)
    await wait_until(lambda: has_come_to(stack, job_id, step), f"the job has come to {step!r}", timeout=90)
    if victim == "worker":
        await kill_worker()
    elif victim == "dynamodb":
        await kill_dynamodb()
    else:
        await kill(victim)
        await start(victim)
    await check(stack, job_id, names)


def make(stack: Stack, owner: str) -> list[str]:
    names = [f"{owner}/r{number}" for number in range(REPOSITORIES)]
    for name in names:
        files = {
            f"f{number}.py": f"# {name} {number}\nx: Optional[int] = {number}\n".encode() for number in range(FILES)
        }
        make_repository(stack.repositories / name, files)
    return names


def has_come_to(stack: Stack, job_id: str, step: str) -> bool:
    job = stack.ask(f"/jobs/{job_id}")
    if job is None:
        return False
    answered, ended = job["usage"]["calls"], job["counts"]["succeeded"]
    facts = {
        "accepted": True,
        "dispatched": job["attempt"] > 0,
        "worker started": bool(workers()),
        "first answer": answered > 0,
        "half answered": answered >= REPOSITORIES * FILES // 2,
        "first run ended": ended > 0,
    }
    return facts[step] or ended == REPOSITORIES


async def kill_worker() -> None:
    async def killed() -> bool:
        found = workers()
        for name in found:
            podman("kill", name, check=False)
        return bool(found)

    await wait_until(killed, "a worker is there to be killed", timeout=60)


async def kill_dynamodb() -> None:
    """DynamoDB Local, killed, always forgets the last transaction that it has acknowledged, as DynamoDB itself never
    does: so nobody writes at that moment, and the last one is ours."""
    writers = [container("api"), container("dispatcher"), *workers()]
    paused = [name for name in writers if podman("pause", name, check=False)]
    try:
        await write_to_nobody()
        await kill("dynamodb")
        await start("dynamodb")
    finally:
        for name in paused:
            podman("unpause", name)


async def write_to_nobody() -> None:
    async with AwsServer(f"http://{address('dynamodb')}:8000").dynamodb() as dynamodb:
        if "nobodys" not in (await dynamodb.list_tables())["TableNames"]:
            await dynamodb.create_table(
                TableName="nobodys",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        for number in range(2):
            await dynamodb.put_item(TableName="nobodys", Item={"id": {"S": f"{number}"}})


async def check(stack: Stack, job_id: str, names: list[str]) -> None:
    job = await stack.ended(job_id, timeout=240)
    assert job["status"] == "SUCCEEDED", job
    counts = {name: number for name, number in job["counts"].items() if number}
    assert counts == {"succeeded": REPOSITORIES, "patches": REPOSITORIES}
    told = events(stack, job_id)
    ended = Counter(event["body"]["repository"] for event in told if event["body"]["kind"] == "run_finished")
    assert ended == Counter(names), f"each run ends once: {json.dumps(told, indent=1)}"
    for name in names:
        patch = stack.curl(f"/jobs/{job_id}/repositories/{name}/diff")
        added = [line for line in patch.splitlines() if line.startswith("+x")]
        assert added == [f"+x: int | None = {number}" for number in range(FILES)]


def events(stack: Stack, job_id: str) -> list[dict[str, Any]]:
    """The whole feed of an ended job: the stream ends by itself."""
    feed = stack.curl(f"/jobs/{job_id}/events", "--header", "accept: text/event-stream")
    lines = [line.removeprefix("data:") for line in feed.splitlines() if line.startswith("data:")]
    told = [msgspec.json.decode(line) for line in lines if line.strip()]
    return [event for event in told if "body" in event]
