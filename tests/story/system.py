"""The programs as a user starts them, each a child process; they are stopped, or killed, by signals."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.support.wait import wait_until

_SECONDS_BETWEEN_QUESTIONS = 0.2
"""The api shares two cores with the workers that are waited for."""
ENDED = {"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED"}


class System:
    """An api and a dispatcher (with its workers) on one database, one folder of repositories and one Claude."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = _free_port()
        self.folder = folder
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self._programs: dict[str, asyncio.subprocess.Process] = {}
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "CODY_DATA": str(folder / "data"),
            "API_PORT": str(self.port),
            "API_AUTH": "none",
            "ALLOWED_REPOSITORIES": "*/*",
            "RECONCILE_SECONDS": "1",
            "LEASE_SECONDS": "6",
            **environment,
        }

    async def start(self, *programs: str) -> None:
        """Start `cody_api` or `cody_dispatcher`; the api answers when this returns."""
        for program in programs:
            log = (self.folder / f"{program}.log").open("ab")
            self._programs[program] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", program, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
            log.close()
        if "cody_api" in programs:
            await wait_until(self._answers, "the api answers", timeout=60)

    async def kill(self, program: str) -> None:
        """kill -9."""
        process = self._programs.pop(program)
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        await self.client.aclose()
        for process in self._programs.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._programs.values():
            await asyncio.wait_for(process.wait(), timeout=40)

    def pid(self, program: str) -> int:
        return self._programs[program].pid

    def log(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text(errors="replace")

    async def submit(self, repositories: Sequence[str], prompt: str, **fields: Any) -> str:
        body = {
            "name": "Story",
            "type": "code-pattern-update",
            "prompt": prompt,
            "repositories": list(repositories),
            **fields,
        }
        answer = await self.client.post("/jobs", content=msgspec.json.encode(body), headers=_JSON)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    async def approve(self, job_id: str) -> None:
        answer = await self.client.post(f"/jobs/{job_id}/approve")
        assert answer.is_success, answer.text

    async def job(self, job_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def run(self, job_id: str, repository: str) -> dict[str, Any]:
        answer = await self.client.get(f"/jobs/{job_id}/repositories/{repository}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def diff(self, job_id: str, repository: str, *, partial: bool = False) -> bytes | None:
        """The run's patch; None where there is none."""
        answer = await self.client.get(
            f"/jobs/{job_id}/repositories/{repository}/diff", params={"partial": str(partial).lower()}
        )
        return answer.content if answer.status_code == 200 else None

    async def ended(self, job_id: str, *, timeout: float = 240) -> dict[str, Any]:
        """The job, once it has ended."""
        job: dict[str, Any] = {}

        async def has_ended() -> bool:
            nonlocal job
            await asyncio.sleep(_SECONDS_BETWEEN_QUESTIONS)
            job = await self.job(job_id)
            return job["status"] in ENDED

        await wait_until(has_ended, f"{job_id} has ended", timeout=timeout)
        return job

    async def _answers(self) -> bool:
        process = self._programs["cody_api"]
        assert process.returncode is None, self.log("cody_api")
        try:
            return (await self.client.get("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def running_system(folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[System]:
    """A started system, stopped at the end with all its processes."""
    system = System(folder, environment)
    try:
        await system.start("cody_api", "cody_dispatcher")
        yield system
    finally:
        await system.stop()


_JSON = {"content-type": "application/json"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
