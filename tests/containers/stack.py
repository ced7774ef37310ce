"""The running stack, as its operator reaches it: curl for the api, the engine's program for containers."""

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.support.wait import wait_until

ENDED = {"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED"}
PROJECT = "cody-batch"
IMAGES = ("api", "dispatcher", "worker", "cli")


def image(name: str) -> str:
    return f"localhost/cody-batch-{name}:dev"


def podman(*arguments: str, check: bool = True) -> str:
    """What it prints; its errors are in the exception."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def inspect(kind: str, name: str) -> dict[str, Any]:
    return json.loads(podman("inspect", "--type", kind, name))[0]


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    api: str
    jaeger: str
    repositories: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From the settings that tests/containers/run left in its folder."""
        lines = (folder / "stack.env").read_text().splitlines()
        settings = dict(line.split("=", 1) for line in lines)
        return cls(
            api=f"http://127.0.0.1:{settings['PUBLISHED_API_PORT']}",
            jaeger=f"http://127.0.0.1:{settings['PUBLISHED_JAEGER_PORT']}",
            repositories=Path(settings["REPOSITORIES_ROOT"]),
        )

    async def submit(
        self, repositories: list[str], prompt: str, *, traceparent: str = "", steps: list[dict[str, Any]] | None = None
    ) -> str:
        job = {"name": "Containers", "type": "code-pattern-update", "prompt": prompt, "repositories": repositories}
        job |= {"steps": steps} if steps else {}
        headers = ["content-type: application/json", f"idempotency-key: {uuid.uuid4()}"]
        headers += [f"traceparent: {traceparent}"] if traceparent else []
        answer = self.curl("/jobs", *(part for header in headers for part in ("-H", header)), "-d", json.dumps(job))
        return json.loads(answer)["id"]

    async def ended(self, job_id: str, *, timeout: float = 180) -> dict[str, Any]:
        async def end() -> dict[str, Any] | None:
            job = self.ask(f"/jobs/{job_id}")
            return job if job and job["status"] in ENDED else None

        job = await wait_until(end, f"{job_id} has ended", timeout=timeout)
        assert job is not None
        return job

    def ask(self, path: str) -> Any:
        """The answer's JSON; None while the api does not answer."""
        answer = self.curl(path, check=False)
        return json.loads(answer) if answer else None

    def curl(self, path: str, *arguments: str, base: str | None = None, check: bool = True) -> str:
        """As a careful client asks: again, when there is no answer or one that says to come back."""
        again = ("--retry", "5", "--retry-connrefused", "--max-time", "20") if check else ("--max-time", "10")
        command = ["curl", "--silent", "--show-error", "--fail-with-body", *again, *arguments]
        done = subprocess.run([*command, (base or self.api) + path], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{path}: {done.stdout} {done.stderr}"
        return done.stdout if done.returncode == 0 else ""

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """As Jaeger has them, each with the name of its `service` added."""
        answer = json.loads(self.curl(f"/api/traces/{trace_id}", base=self.jaeger))
        return [
            {**span, "service": trace["processes"][span["processID"]]["serviceName"]}
            for trace in answer["data"]
            for span in trace["spans"]
        ]


def container(service: str) -> str:
    return f"{PROJECT}_{service}_1"


def address(service: str) -> str:
    """Its address in the stack's network, which root can reach from outside; another one after each start."""
    return inspect("container", container(service))["NetworkSettings"]["Networks"][PROJECT]["IPAddress"]


async def kill(service: str) -> None:
    """SIGKILL, as when the machine has no memory left; it is gone when this returns, or started again already."""
    before = inspect("container", container(service))["State"]["StartedAt"]
    podman("kill", container(service))

    def has_ended() -> bool:
        state = inspect("container", container(service))["State"]
        return not state["Running"] or state["StartedAt"] != before

    await wait_until(has_ended, f"{service} is gone", timeout=20)


async def start(service: str) -> None:
    """As its supervisor does; with moto comes what it had forgotten."""
    podman("start", container(service))
    if service == "moto":
        podman("start", "--attach", container("bootstrap"))


def workers() -> list[str]:
    """Names of the containers that moto started and that run now."""
    names = podman("ps", "--filter", f"ancestor={image('worker')}", "--format", "{{.Names}}").split()
    return [name for name in names if not name.startswith(PROJECT)]
