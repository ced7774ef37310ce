"""PostgreSQL is away for ten seconds in the middle of a job: everybody waits, nothing fails, nothing is paid twice."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import psutil

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.system import running_system
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

PROMPT = "Rewrite Optional[X] to X | None."
FILES, FILES_AT_ONCE = 120, 8
SECONDS_AWAY = 10.0


async def test_ten_seconds_without_a_database_cost_only_time(
    tmp_path: Path, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    make_repository(
        repositories / "acme" / "web",
        {f"m{number}.py": f"x{number}: Optional[int] = None\n".encode() for number in range(FILES)},
    )
    environment = {
        "REPOSITORIES_ROOT": str(repositories),
        "CLAUDE_API_KEY": stand_in.key,
        "CLAUDE_BASE_URL": stand_in.url,
        "FILES_AT_ONCE": str(FILES_AT_ONCE),
        "LEASE_SECONDS": "60",
    }
    await stand_in.set_faults(latency=0.2)
    async with running_system(tmp_path, environment) as system:
        job_id = await system.submit(["acme/web"], PROMPT)
        await wait_until(lambda: answered(stand_in, 20), "the job is in its middle", timeout=60)
        supervisor = take_away(tmp_path / "data")
        try:
            await wait_until(lambda: not_ready(system.client), "the api says that its database is gone")
            await asyncio.sleep(SECONDS_AWAY)  # the length of the outage is what this is about
        finally:
            supervisor.send_signal(signal.SIGCONT)
        await wait_until(lambda: ready(system.client), "the api has its database again", timeout=60)
        job = await system.ended(job_id)
        run = await system.run(job_id, "acme/web")
    assert job["status"] == "SUCCEEDED", job
    assert (run["outcome"], run["files"]["edited"]) == ("patch", FILES)
    again = sum(question.count - 1 for question in (await stand_in.stats()).questions)
    assert again == 0, f"{again} files were asked about twice"


def take_away(data: Path) -> psutil.Process:
    """kill -9 the server, with its supervisor halted so that it does not come back; the supervisor."""
    server = psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
    supervisor = server.parent()
    assert supervisor is not None
    assert "supervisor" in " ".join(supervisor.cmdline())
    supervisor.send_signal(signal.SIGSTOP)
    os.kill(server.pid, signal.SIGKILL)
    return supervisor


async def answered(stand_in: ClaudeStandIn, number: int) -> bool:
    return (await stand_in.stats()).answered >= number


async def ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def not_ready(client: httpx.AsyncClient) -> bool:
    return not await ready(client)
