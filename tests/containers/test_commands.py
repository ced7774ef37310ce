"""A job with commands in the stack: they work in a sandbox inside of the workers' containers, where the engine lets
those make one, and are refused with what helps where it does not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.containers.stack import Stack, address, image, podman
from tests.support.repositories import GitRepository, apply_patch, make_repository

STRICT = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
ADDITIONS = Path("infra/seccomp/commands.json")
PROFILES = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))
REFUSED_BY_DOCKER = {"clone", "clone3", "mount", "umount", "umount2", "pivot_root", "unshare", "setns", "sethostname"}
NEW_NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags."""

# What a command finds out is in the patch, not in its output: from there, secrets would be taken out.
LOOK_AROUND = """
import os, pathlib, re, socket, sys
for path in pathlib.Path('.').glob('*.txt'): path.write_text(re.sub('colour', 'color', path.read_text()))
told = [f'variables {sorted(os.environ)}', f'interfaces {socket.if_nameindex()}']
for host in sys.argv[1:]:
    try: socket.create_connection((host, 5432 if host[0] != '/' else 0), 2); told.append(f'reached {host}')
    except OSError: pass
for pid in filter(str.isdigit, os.listdir('/proc')):
    try: held = open(f'/proc/{pid}/environ', 'rb').read()
    except OSError: continue
    told += [f'read {word}' for word in ('CLAUDE_API_KEY', 'DATABASE_URL', 'AWS_') if word.encode() in held]
for top in ('/repositories', '/run', '/var', '/root'): told += [f'sees {top}'] if os.path.exists(top) else []
for path in ('/usr', '/etc', '/opt', '/proc/sys/kernel'): told += [f'writes {path}'] if os.access(path, os.W_OK) else []
told += [f'temporary {os.listdir("/tmp")}', f'me {os.readlink("/proc/self/exe") != ""}']
pathlib.Path('told.txt').write_text('\\n'.join(told) + '\\n')
"""


def make(stack: Stack, owner: str) -> dict[str, GitRepository]:
    return {
        f"{owner}/{name}": make_repository(stack.repositories / owner / name, {"word.txt": f"{name} colour\n".encode()})
        for name in ("one", "two", "three")
    }


def steps(*addresses: str) -> list[dict[str, Any]]:
    return [
        {"kind": "codemod", "argv": ["python3", "-c", LOOK_AROUND, *addresses]},
        {"kind": "codemod", "argv": ["sed", "-i", "s/^one/1/", "word.txt"]},
        {"kind": "verify", "argv": ["grep", "-q", "color", "word.txt"]},
    ]


def namespaces_are_allowed(*options: str) -> bool:
    """By the engine, to a container with these options; moto gives none."""
    command = ["podman", "run", "--rm", *options, "--entrypoint", "unshare", image("worker"), "--user", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def test_a_job_with_commands_ends_as_the_engine_allows(stack: Stack, tmp_path: Path) -> None:
    made = make(stack, "commands")
    job_id = await stack.submit(list(made), "Write color", steps=steps(address("postgres"), "postgres"))
    job = await stack.ended(job_id, timeout=240)

    if not namespaces_are_allowed():
        assert (job["status"], job["failure"]["code"]) == ("FAILED", "sandbox_missing"), job
        assert "the engine's seccomp profile" in job["failure"]["message"]
        return
    assert job["status"] == "SUCCEEDED", job
    assert {name: count for name, count in job["counts"].items() if count} == {"succeeded": 3, "patches": 3}
    for name, repository in made.items():
        patch = stack.curl(f"/jobs/{job_id}/repositories/{name}/diff")
        tree = apply_patch(repository, repository.line("rev-parse", "HEAD"), patch.encode(), tmp_path / name)
        assert repository.line("rev-parse", "HEAD^{tree}") != tree
        short = name.partition("/")[2].replace("one", "1")
        assert [line for line in patch.splitlines() if line.startswith("+") and "color" in line] == [f"+{short} color"]
        check_what_was_seen(patch)


def check_what_was_seen(patch: str) -> None:
    told = [line[1:] for line in patch.splitlines() if line.startswith("+")]
    assert "variables ['CI', 'HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR']" in told, patch
    assert "interfaces [(1, 'lo')]" in told, patch
    assert "temporary []" in told, patch
    assert "me True" in told, patch
    assert [line for line in told if line.split()[0] in {"reached", "read", "sees", "writes"}] == []


FIND = (
    "import asyncio, json, os; from cody_worker.sandbox.find_sandbox import NoSandbox, choose_runner, find_sandbox\n"
    "found = asyncio.run(find_sandbox(path=os.environ['PATH']))\n"
    "try: told = {'own_proc': choose_runner(found, allow_unsandboxed=False, path='/bin').walls.own_proc}\n"
    "except Exception as error: told = {'refused': error.message}\n"
    "print(json.dumps(told))"
)


def find_sandbox_in_a_container(*options: str) -> dict[str, Any]:
    command = ("--network", "none", "--entrypoint", "python3", image("worker"), "-c", FIND)
    return json.loads(podman("run", "--rm", *STRICT, *options, *command).splitlines()[-1])


# Bounded in themselves, should a limit not hold.
FORKS = """
import os, time
for _ in range(300):
    try:
        if os.fork() == 0: time.sleep(60); os._exit(0)
    except OSError: pass
time.sleep(60)
"""
HOGS = "import os, time\nfor _ in range(7):\n    if not os.fork(): break\ndata = b'x' * (60 << 20)\ntime.sleep(60)\n"
RUN = """
import asyncio, json, os, sys, tempfile
from pathlib import Path
from cody_worker.sandbox.command import CommandLimits
from cody_worker.sandbox.find_sandbox import find_sandbox
from cody_worker.sandbox.supervisor.control_groups import may_make_groups
from cody_worker.sandbox.work_folder import WorkFolder

async def run():
    sandbox = await find_sandbox(path=os.environ["PATH"])
    folder = WorkFolder.make(Path(tempfile.mkdtemp()))
    limits = CommandLimits(seconds=30, processes=60, memory_mb=200)
    ended = await sandbox.run(["python3", "-c", sys.argv[1]], folder, limits)
    return ended.reason

print(json.dumps([asyncio.run(run()), may_make_groups()]))
"""


@pytest.mark.parametrize(("script", "reason"), [(FORKS, "process_limit"), (HOGS, "memory_limit")])
def test_limits_hold_where_no_control_group_can_be_made(script: str, reason: str) -> None:
    if not namespaces_are_allowed():
        pytest.skip("this engine allows no sandbox")
    command = ("--network", "none", "--entrypoint", "python3", image("worker"), "-c", RUN, script)
    told = podman("run", "--rm", *STRICT, *command).splitlines()[-1]

    assert json.loads(told) == [reason, False]


@pytest.fixture
def docker_profile() -> dict[str, Any]:
    """This engine's profile, without what Docker's own refuses to a container without CAP_SYS_ADMIN."""
    profile = json.loads(next(path for path in PROFILES if path.exists()).read_text())
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in REFUSED_BY_DOCKER]
    no_namespaces = {"index": 0, "value": NEW_NAMESPACES, "op": "SCMP_CMP_MASKED_EQ"}
    rules = [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [no_namespaces]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]
    syscalls = [*(rule for rule in profile["syscalls"] if rule["names"]), *rules]
    return {**profile, "defaultErrnoRet": 1, "syscalls": syscalls}


def written(profile: dict[str, Any], folder: Path) -> tuple[str, str]:
    (folder / "profile.json").write_text(json.dumps(profile))
    return "--security-opt", f"seccomp={folder / 'profile.json'}"


def test_dockers_own_profile_allows_no_sandbox_and_the_worker_says_what_helps(
    docker_profile: dict[str, Any], tmp_path: Path
) -> None:
    options = written(docker_profile, tmp_path)

    assert not namespaces_are_allowed(*options)
    assert "the engine's seccomp profile" in find_sandbox_in_a_container(*options)["refused"]


def test_our_additions_to_dockers_profile_are_enough_for_a_sandbox(
    docker_profile: dict[str, Any], tmp_path: Path
) -> None:
    added = {**docker_profile, "syscalls": [*docker_profile["syscalls"], *json.loads(ADDITIONS.read_text())]}
    options = written(added, tmp_path)

    assert find_sandbox_in_a_container(*options) == {"own_proc": False}
    assert find_sandbox_in_a_container(*options, "--security-opt", "unmask=ALL") == {"own_proc": True}
