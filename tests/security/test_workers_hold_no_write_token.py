"""Whatever tokens the shell holds that starts a system: a worker near untrusted text has none that opens a door."""

from pathlib import Path

import psutil

from cody_stand_ins.claude import ClaudeStandIn, claude_stand_in
from tests.story.system import running_system
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

SECRETS = {
    "GITHUB_TOKEN": "ghp-telltale-1",
    "GH_TOKEN": "ghp-telltale-2",
    "AWS_SECRET_ACCESS_KEY": "aws-telltale",
    "AWS_SESSION_TOKEN": "aws-telltale-2",
    "CODY_API_TOKEN": "cody-telltale",
    "NPM_TOKEN": "npm-telltale",
}


async def test_no_process_of_a_worker_has_a_credential_but_the_claude_key(tmp_path: Path, database_url: str) -> None:
    repositories = tmp_path / "repositories"
    make_repository(repositories / "acme" / "web", {"a.py": b"x: Optional[int] = None\n"})
    async with claude_stand_in() as stand_in:
        await stand_in.set_faults(latency=30)  # the worker is looked at while it waits
        environment = {
            "DATABASE_URL": database_url,
            "REPOSITORIES_ROOT": str(repositories),
            "CLAUDE_API_KEY": stand_in.key,
            "CLAUDE_BASE_URL": stand_in.url,
            **SECRETS,
        }
        async with running_system(tmp_path, environment) as system:
            job_id = await system.submit(["acme/web"], "Rewrite Optional[X] to X | None.")
            await wait_until(lambda: is_asking(stand_in), "a worker is asking Claude", timeout=60)
            family = psutil.Process(system.pid("cody_dispatcher")).children(recursive=True)
            seen = {process.pid: environment_and_memory(process.pid) for process in family}
            await system.client.post(f"/jobs/{job_id}/cancel")
    assert len(seen) >= 3, "fork server, worker and its git children"
    assert any(stand_in.key.encode() in content for content in seen.values()), "the search does not see what is there"
    for secret in SECRETS.values():
        assert [pid for pid, content in seen.items() if secret.encode() in content] == [], secret


async def is_asking(stand_in: ClaudeStandIn) -> bool:
    return (await stand_in.stats()).messages > 0


def environment_and_memory(pid: int) -> bytes:
    """The environment that the process was started with, and all that it can write to in its memory."""
    parts = [Path(f"/proc/{pid}/environ").read_bytes()]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, rights, *_ = line.split()
            if rights.startswith("rw") and not line.endswith(("[vvar]", "[vsyscall]")):
                start, end = (int(address, 16) for address in addresses.split("-"))
                memory.seek(start)
                parts.append(memory.read(end - start))
    return b"".join(parts)
