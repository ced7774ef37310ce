"""kill -9 at every step of the flow, chosen by a seed: whatever dies, the job ends as an undisturbed one does."""

import asyncio
import math
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from cody_stand_ins.batch import BatchStandIn
from cody_stand_ins.claude import ClaudeStandIn
from tests.story.system import System
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

STEPS = (
    "posted",
    "accepted",
    "dispatched",
    "worker started",
    "first answer",
    "half answered",
    "first run ended",
    "last answers",
)
VICTIMS = ("api", "dispatcher", "one worker", "all workers", "api and dispatcher", "dispatcher and workers")
REPOSITORIES = 6
FILES = 3
FILES_AT_ONCE = 4
PROMPT = "Rewrite Optional[X] to X | None."
_LONGEST_AWAY_SECONDS = 1.0


class Kill(Struct, frozen=True, kw_only=True):
    """One walk: who dies at which step, and for how long it stays away."""

    step: str
    victim: str
    away: float


def choose_kills(seed: int, count: int) -> list[Kill]:
    """Each victim comes once before any comes twice, and so does each step, and each pair of them."""
    chance = random.Random(seed)
    steps, victims = (chance.sample(names, len(names)) for names in (STEPS, VICTIMS))
    before_all_pairs = math.lcm(len(steps), len(victims))
    return [
        Kill(
            step=steps[(number + number // before_all_pairs) % len(steps)],
            victim=victims[number % len(victims)],
            away=round(chance.uniform(0, _LONGEST_AWAY_SECONDS), 2),
        )
        for number in range(count)
    ]


class KillWalk:
    """Walks through one job after the other on a system that is started already."""

    def __init__(self, system: System, stand_in: ClaudeStandIn, batch: BatchStandIn, root: Path) -> None:
        self._system = system
        self._stand_in = stand_in
        self._batch = batch
        self._root = root
        self._number = 0
        self.killed = Counter[str]()
        """How many of which were killed so far: a worker that was not there yet is no victim."""

    async def walk(self, kill: Kill) -> None:
        """Raises `AssertionError` with the whole story when anything ended otherwise than it has to."""
        self._number += 1
        await self._stand_in.reset()
        await self._stand_in.set_faults(latency=0.05, jitter=0.04, seed=self._number)
        names = [self._make_repository(place) for place in range(REPOSITORIES)]
        job_id, killed = await self._disturb(names, kill)
        job = await self._system.ended(job_id, timeout=120)
        try:
            await self._check(job, names, killed)
        except AssertionError as error:
            raise AssertionError(f"walk {self._number}, {kill}: {error}; {job}") from error

    def _make_repository(self, place: int) -> str:
        name = f"walk-{self._number}/r{place}"
        files = {
            f"file_{number}.py": f"x_{self._number}_{place}_{number}: Optional[int] = {number}\n".encode()
            for number in range(FILES)
        }
        make_repository(self._root / name, files)
        return name

    async def _disturb(self, names: Sequence[str], kill: Kill) -> tuple[str, int]:
        """The job's id, and how many workers were killed."""
        posting = asyncio.create_task(self._post(names), name="post the job")
        if kill.step != "posted":
            job_id = await posting
            await wait_until(lambda: self._has_come_to(job_id, kill), f"the job has come to {kill.step}", 60)
        killed = await self._kill(kill)
        return await posting, killed

    async def _post(self, names: Sequence[str]) -> str:
        """As a careful client does: again with the same key, until there is an answer."""
        body = {"name": "Walk", "type": "code-pattern-update", "prompt": PROMPT, "repositories": list(names)}
        headers = {"content-type": "application/json", "idempotency-key": f"walk-{self._number}"}
        job_id = ""

        async def accepted() -> bool:
            nonlocal job_id
            try:
                answer = await self._system.client.post("/jobs", content=msgspec.json.encode(body), headers=headers)
            except httpx.TransportError:
                return False
            if answer.status_code >= 500:
                return False
            assert answer.status_code == 202, answer.text
            job_id = answer.json()["id"]
            return True

        await wait_until(accepted, "the job is accepted", 60)
        return job_id

    async def _has_come_to(self, job_id: str, kill: Kill) -> bool:
        """Whoever is to die has to be there; a job that is over waits for nobody."""
        job = await self._system.job(job_id)
        answered, files = (await self._stand_in.stats()).answered, REPOSITORIES * FILES
        counts = job["counts"]
        ended = counts["succeeded"] + counts["failed"]
        workers = await self._workers()
        facts = {
            "accepted": True,
            "dispatched": job["attempt"] > 0,
            "worker started": bool(workers),
            "first answer": answered > 0,
            "half answered": answered >= files // 2,
            "first run ended": ended > 0,
            "last answers": answered >= files - 2,
        }
        victims_are_there = "worker" not in kill.victim or bool(workers)
        return (facts[kill.step] and victims_are_there) or ended == REPOSITORIES

    async def _workers(self) -> list[int]:
        """Their processes."""
        return [job.pid for job in (await self._batch.stats()).running]

    async def _kill(self, kill: Kill) -> int:
        programs = [program for program in ("api", "dispatcher") if program in kill.victim]
        killed = 0
        if "worker" in kill.victim:
            pids = await self._workers()
            chosen = pids[:1] if kill.victim == "one worker" else pids
            for pid in chosen:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed = len(chosen)
            self.killed["worker"] += killed
        for program in programs:
            await self._system.kill(f"cody_{program}")
            self.killed[program] += 1
        await asyncio.sleep(kill.away)
        await self._system.start(*(f"cody_{program}" for program in programs))
        return killed

    async def _check(self, job: dict[str, Any], names: Sequence[str], killed: int) -> None:
        assert job["status"] == "SUCCEEDED"
        counts = {name: number for name, number in job["counts"].items() if number}
        assert counts == {"succeeded": REPOSITORIES, "patches": REPOSITORIES}
        stats = await self._stand_in.stats()
        again = sum(question.count - 1 for question in stats.questions)
        assert sum(question.path is not None for question in stats.questions) == REPOSITORIES * FILES
        assert again <= killed * FILES_AT_ONCE, f"{again} files were asked about again, {killed} workers were killed"
        bodies = [event["body"] for event in await self._events(job["id"]) if "body" in event]
        ended = Counter(body["repository"] for body in bodies if body["kind"] == "run_finished")
        assert not [name for name, times in ended.items() if times > 1], f"ended twice: {ended}"
        for place, name in enumerate(names):
            run = await self._system.run(job["id"], name)
            assert (run["status"], run["outcome"], run["files"]["edited"]) == ("SUCCEEDED", "patch", FILES)
            diff = await self._system.diff(job["id"], name)
            assert diff is not None
            added = [line for line in diff.decode().splitlines() if line.startswith("+x_")]
            assert added == [f"+x_{self._number}_{place}_{number}: int | None = {number}" for number in range(FILES)]

    async def _events(self, job_id: str) -> list[dict[str, Any]]:
        """The whole feed of an ended job: the stream ends by itself."""
        answer = await self._system.client.get(f"/jobs/{job_id}/events", headers={"accept": "text/event-stream"})
        lines = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
        return [msgspec.json.decode(line) for line in lines if line.strip()]
