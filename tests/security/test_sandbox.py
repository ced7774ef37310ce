"""What a command does in the sandbox stays there: it reads no secret, reaches no network, writes nothing outside of its
work tree, and ends when it is told to, with all that it started."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import msgspec
import psutil
import pytest

from cody_worker.sandbox.bubblewrap import Sandbox
from cody_worker.sandbox.command import CommandLimits, CommandResult, EndReason
from cody_worker.sandbox.find_sandbox import find_sandbox
from cody_worker.sandbox.walls import Walls
from cody_worker.sandbox.work_folder import WorkFolder
from tests.support.sandboxes import LIMITS, make_work_folder, processes_with, sandbox_or_skip
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return await sandbox_or_skip(tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def folder(tmp_path: Path) -> WorkFolder:
    return make_work_folder(tmp_path / "work")


@pytest.fixture
def mark() -> str:
    return f"mark-{secrets.token_hex(8)}"


async def python(
    sandbox: Sandbox, folder: WorkFolder, script: str, *arguments: str, limits: CommandLimits = LIMITS
) -> CommandResult:
    return await sandbox.run(["python", "-c", script, *arguments], folder, limits)


@contextlib.contextmanager
def listening() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_there_is_no_network_not_even_the_machines_own(sandbox: Sandbox, folder: WorkFolder) -> None:
    script = (
        "import socket, sys\n"
        "for host, port in (('127.0.0.1', int(sys.argv[1])), ('192.0.2.1', 80), ('169.254.169.254', 80)):\n"
        "    try: socket.create_connection((host, port), 2); print('connected')\n"
        "    except OSError as error: print(type(error).__name__, error.errno)\n"
        "print(socket.if_nameindex())\n"
    )
    with listening() as port:
        socket.create_connection(("127.0.0.1", port)).close()
        result = await python(sandbox, folder, script, str(port))

    assert "connected" not in result.output
    assert result.output.splitlines()[-1] == "[(1, 'lo')]"
    assert result.succeeded


async def test_sockets_of_the_machine_cannot_be_reached(sandbox: Sandbox, folder: WorkFolder, tmp_path: Path) -> None:
    path, abstract = str(tmp_path / "s"), f"\0{secrets.token_hex(8)}"
    script = (
        "import os, socket, sys\n"
        "for address in (sys.argv[1], '\\0' + sys.argv[2], '/var/run/docker.sock', '/run/podman/podman.sock'):\n"
        "    try: socket.socket(socket.AF_UNIX).connect(address); print('connected')\n"
        "    except OSError: pass\n"
        "print(os.listdir('/'))\n"
    )
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        for server, address in ((one, path), (other, abstract)):
            server.bind(address)
            server.listen()
        result = await python(sandbox, folder, script, path, abstract[1:])

    assert "connected" not in result.output
    assert "'run'" not in result.output
    assert "'var'" not in result.output
    assert result.succeeded


async def test_nothing_of_the_workers_environment_or_processes_is_seen(
    sandbox: Sandbox, folder: WorkFolder, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os\n"
        "print(sorted(os.environ))\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    for name in ('environ', 'cmdline'):\n"
        "        try: print(open(f'/proc/{pid}/{name}').read())\n"
        "        except OSError: pass\n"
    )
    environment = {**os.environ, "CLAUDE_API_KEY": f"key-{mark}"}
    monkeypatch.setenv("CODY_TEST_SECRET", mark)
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", mark, stdin=asyncio.subprocess.PIPE, env=environment
    )
    result = await python(sandbox, folder, script)
    await holder.communicate(b"\n")

    assert result.succeeded
    assert mark not in result.output
    assert result.output.splitlines()[0] == "['CI', 'HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR']"


async def test_where_processes_of_the_container_are_seen_nothing_that_they_hold_is(
    sandbox: Sandbox, folder: WorkFolder, mark: str
) -> None:
    """In containers, /proc is the worker's own."""
    script = (
        "import os, sys\n"
        "proc = f'/proc/{sys.argv[1]}'\n"
        "print(open(f'{proc}/comm').read().strip(), os.getpid() < 20)\n"
        "for name in ('environ', 'maps', 'mem', 'auxv', 'io', 'root/etc/passwd', 'cwd', 'fd/0', 'task/%s/environ'):\n"
        "    try: open(f'{proc}/{name}'.replace('%s', sys.argv[1]), 'rb').read(100); print('READ', name)\n"
        "    except OSError: pass\n"
        "for name in ('oom_score_adj', 'comm', 'mem', 'clear_refs', 'coredump_filter'):\n"
        "    try: os.close(os.open(f'{proc}/{name}', os.O_WRONLY)); print('WRITABLE', name)\n"
        "    except OSError: pass\n"
        "try: os.kill(int(sys.argv[1]), 0); print('REACHED')\n"
        "except OSError: pass\n"
        "print(os.readlink('/proc/self/exe'))\n"
    )
    shown = msgspec.structs.replace(
        sandbox, walls=Walls(own_proc=False, no_more_namespaces=False, own_name=sandbox.walls.own_name)
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE, env={**os.environ, "CLAUDE_API_KEY": mark}
    )
    result = await python(shown, folder, script, str(holder.pid))
    await holder.communicate(b"\n")

    lines = result.output.splitlines()
    assert (result.succeeded, lines[0].split()[1:], len(lines)) == (True, ["True"], 2), result.output
    assert mark not in result.output


async def test_files_of_people_and_of_the_worker_cannot_be_read(
    sandbox: Sandbox, folder: WorkFolder, tmp_path: Path, mark: str
) -> None:
    (tmp_path / "secret").write_text(mark)
    script = (
        "import os, sys\n"
        "home = os.environ['HOME']\n"
        "paths = [sys.argv[1], '/etc/shadow', '/etc/pip.conf', '/etc/npmrc', '/etc/gitconfig', '/root/.bashrc',\n"
        "    '/usr/local/etc/npmrc', '/etc/maven/settings.xml']\n"
        "paths += [f'{home}/{name}' for name in ('.aws', '.ssh', '.config', '.netrc', '.git-credentials')]\n"
        "for path in paths: print(path, os.path.exists(path))\n"
        "print(os.listdir(home), [name for name in os.listdir('/tmp') if not sys.prefix.startswith(f'/tmp/{name}/')])\n"
    )
    result = await python(sandbox, folder, script, str(tmp_path / "secret"))

    assert "True" not in result.output
    assert "[] []" in result.output
    assert result.succeeded


async def test_folders_that_hold_secrets_are_hidden_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "tools/data").mkdir(parents=True)
    (tmp_path / "tools/data/secret").write_text("secret")
    (tmp_path / "tools/tool").write_text("tool")
    (tmp_path / "tools/pip.conf").write_text("secret")
    await sandbox_or_skip(tmp_path)
    found = await find_sandbox(
        path=os.environ["PATH"],
        more=[str(tmp_path / "tools")],
        hidden=[str(tmp_path / "tools/data"), str(tmp_path / "tools/pip.conf")],
    )
    assert isinstance(found, Sandbox)

    result = await found.run(
        ["sh", "-c", f"cd {tmp_path}/tools && cat tool pip.conf data/secret; ls data"],
        make_work_folder(tmp_path / "work"),
        LIMITS,
    )

    assert "secret" not in result.output.replace("data/secret", "")
    assert result.output.startswith("tool")


async def test_only_the_work_folder_is_written(sandbox: Sandbox, folder: WorkFolder, tmp_path: Path) -> None:
    script = (
        "import os, sys, tempfile\n"
        "for path in ['/usr', '/usr/bin', '/etc', '/', '/dev', '/opt', sys.prefix, sys.base_prefix, '/proc/sys',\n"
        "    '/home', '/workspace/..', os.path.dirname(sys.argv[1])]:\n"
        "    try: open(path + '/cody-was-here', 'w'); print('WROTE', path)\n"
        "    except OSError: pass\n"
        "for path in ('/workspace', '/tmp', os.environ['HOME'], '/dev/shm'): open(path + '/mine', 'w').write('x')\n"
    )
    result = await python(sandbox, folder, script, str(tmp_path / "x"))

    assert (result.succeeded, result.output) == (True, "")
    assert sorted(str(path.relative_to(folder.root)) for path in folder.root.rglob("mine")) == [
        "home/mine", "shared-memory/mine", "temporary/mine", "tree/mine",
    ]  # fmt: skip
    assert os.listdir(tmp_path) == ["work"]  # noqa: PTH208 (names alone)


async def test_no_setting_of_the_kernel_is_written(sandbox: Sandbox, folder: WorkFolder) -> None:
    script = (
        "import os, sys\n"
        "paths = ['/proc/sysrq-trigger', '/proc/self/oom_score_adj']\n"
        "for folder, _, names in os.walk('/proc/sys'): paths += [os.path.join(folder, name) for name in names]\n"
        "for path in paths:\n"
        "    try: os.close(os.open(path, os.O_WRONLY)); print('WRITABLE', path)\n"
        "    except OSError: pass\n"
        "print(len(paths) > 100)\n"
    )
    result = await python(sandbox, folder, script)

    assert (result.succeeded, result.output) == (True, "True\n")


async def test_there_is_no_way_to_more_rights(sandbox: Sandbox, folder: WorkFolder) -> None:
    script = (
        "grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status\n"
        "unshare --user true && echo NESTED\nmount -t tmpfs none /tmp && echo MOUNTED\nchroot /tmp true && echo ROOT\n"
    )
    result = await sandbox.run(["sh", "-c", script], folder, LIMITS)

    facts = dict(line.split(":\t") for line in result.output.splitlines() if ":\t" in line)
    assert {int(facts[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {0}
    assert facts["NoNewPrivs"] == "1"
    assert "MOUNTED" not in result.output
    assert "ROOT" not in result.output
    if sandbox.walls.no_more_namespaces:
        assert "NESTED" not in result.output


# Bounded in itself: where a limit does not hold, the test fails and the machine stays alive.
FORK_BOMB = (
    "import os, time\n"
    "for _ in range(300):\n"
    "    try:\n"
    "        if os.fork() == 0:\n"
    "            time.sleep(60)\n"
    "            os._exit(0)\n"
    "    except OSError: pass\n"
    "time.sleep(60)\n"
)
MEMORY_HOG = "data = []\nwhile True: data.append(b'x' * (8 << 20))\n"
MANY_HOGS = (
    "import os, time\nfor _ in range(9):\n    if not os.fork(): break\ndata = b'x' * (90 << 20)\ntime.sleep(60)\n"
)
ENDLESS_OUTPUT = "import sys\nwhile True: sys.stdout.write('y' * 65536)\n"
SLEEPER = "import time\ntime.sleep(600)\n"
BUSY = "while True: pass\n"
LARGE_FILE = "with open('large', 'wb') as file:\n    while True: file.write(b'x' * (1 << 20))\n"
DEAF_SLEEPER = "import signal, time\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)\n"


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        (SLEEPER, CommandLimits(seconds=0.5), EndReason.TIME_LIMIT),
        (DEAF_SLEEPER, CommandLimits(seconds=0.5), EndReason.TIME_LIMIT),
        (BUSY, CommandLimits(seconds=30, cpu_seconds=0.4), EndReason.CPU_LIMIT),
        (MANY_HOGS, CommandLimits(seconds=30, memory_mb=300), EndReason.MEMORY_LIMIT),
        (FORK_BOMB, CommandLimits(seconds=30, processes=60), EndReason.PROCESS_LIMIT),
        (
            ENDLESS_OUTPUT,
            CommandLimits(seconds=30, output_bytes=4_000, most_output_bytes=1 << 20),
            EndReason.OUTPUT_LIMIT,
        ),
        (LARGE_FILE, CommandLimits(seconds=30, file_bytes=4 << 20), EndReason.EXITED),
        (SLEEPER, CommandLimits(seconds=30, free_disk_bytes=1 << 60), EndReason.DISK_LIMIT),
    ],
    ids=["sleeper", "deaf", "busy", "hogs", "fork bomb", "output", "large file", "full disk"],
)
async def test_who_takes_too_much_is_ended_with_all_that_it_started(
    sandbox: Sandbox, folder: WorkFolder, mark: str, script: str, limits: CommandLimits, reason: EndReason
) -> None:
    result = await python(sandbox, folder, script, mark, limits=limits)

    assert result.reason is reason
    assert not result.succeeded
    assert len(result.output) < 10_000
    assert not processes_with(mark)


async def test_a_memory_hog_gets_no_more_than_its_limit(sandbox: Sandbox, folder: WorkFolder, mark: str) -> None:
    result = await python(sandbox, folder, MEMORY_HOG, mark, limits=CommandLimits(seconds=30, memory_mb=200))

    assert not result.succeeded
    assert "MemoryError" in result.output or result.reason is EndReason.MEMORY_LIMIT
    assert not processes_with(mark)


DAEMON = (
    "import os, sys, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        time.sleep(600)\n"
    "    os._exit(0)\n"
    "os.wait()\n"
    "print('done')\n"
)


async def test_a_daemon_goes_with_the_command_that_made_it(sandbox: Sandbox, folder: WorkFolder, mark: str) -> None:
    result = await python(sandbox, folder, DAEMON, mark)

    assert (result.succeeded, result.output) == (True, "done\n")
    assert not processes_with(mark)


async def test_a_cancelled_command_is_gone(sandbox: Sandbox, folder: WorkFolder, mark: str) -> None:
    running = asyncio.create_task(python(sandbox, folder, SLEEPER, mark))
    await wait_until(lambda: processes_with(mark), "the command runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not processes_with(mark)


WORKER = """
import asyncio, os, sys
from pathlib import Path
from cody_worker.sandbox.command import CommandLimits
from cody_worker.sandbox.find_sandbox import find_sandbox
from cody_worker.sandbox.walls import Walls
from cody_worker.sandbox.work_folder import WorkFolder

async def work():
    sandbox = await find_sandbox(path=os.environ["PATH"])
    folder = WorkFolder.make(Path(sys.argv[1]))
    await sandbox.run(["python", "-c", sys.argv[3], sys.argv[2]], folder, CommandLimits())

asyncio.run(work())
"""


async def test_a_command_does_not_outlive_a_killed_worker(sandbox: Sandbox, tmp_path: Path, mark: str) -> None:
    (tmp_path / "work").mkdir()
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(tmp_path / "work"), mark, DEAF_SLEEPER
    )
    await wait_until(lambda: len(processes_with(mark)) > 3, "the command runs")
    worker.kill()
    await worker.wait()

    await wait_until(lambda: not processes_with(mark), "nothing is left of the command")


async def test_a_command_does_not_outlive_a_killed_supervisor(sandbox: Sandbox, folder: WorkFolder, mark: str) -> None:
    running = asyncio.create_task(python(sandbox, folder, DEAF_SLEEPER, mark))
    await wait_until(lambda: len(processes_with(mark)) > 2, "the command runs")
    (supervisor,) = [child for child in psutil.Process().children() if "supervise" in " ".join(child.cmdline())]
    os.kill(supervisor.pid, signal.SIGKILL)
    with pytest.raises(Exception, match="supervisor failed"):
        await running

    await wait_until(lambda: not processes_with(mark), "nothing is left of the command")
