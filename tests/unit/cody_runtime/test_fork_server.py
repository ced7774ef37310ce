import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from cody_jobs.errors import Unavailable
from cody_runtime.fork_server import ForkServer
from tests.support.wait import wait_until

PROGRAMS = Path(__file__).parent / "programs"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells only here")


def environment() -> dict[str, str]:
    return {"PATH": os.defpath, "PYTHONPATH": str(PROGRAMS), "FROM_SERVER": "yes"}


async def launch(*, grace: float = 20, entry: str = "forked_children:act") -> ForkServer:
    return await ForkServer.launch(entry, environment=environment(), grace=grace)


@pytest.fixture
async def server() -> AsyncGenerator[ForkServer]:
    server = await launch()
    yield server
    await server.aclose()


async def read(fd: int) -> bytes:
    """What the child writes at once, or b"" when all ends of the pipe are closed."""
    return await asyncio.wait_for(asyncio.to_thread(os.read, fd, 10_000), 20)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def spawn_begun(server: ForkServer, verb: str) -> tuple[int, Callable[[], Awaitable[int]]]:
    """A child that is surely past its first line: pid and wait."""
    reading, writing = os.pipe()
    try:
        child = await server.spawn(verb.encode(), fds=[writing])
        assert await read(reading) == b"begun"
    finally:
        os.close(reading)
        os.close(writing)
    return child.pid, child.wait


async def test_a_child_gets_argument_and_descriptors(server: ForkServer) -> None:
    reading, writing = os.pipe()
    question, asking = os.pipe()
    os.write(asking, b" world")
    child = await server.spawn(b"echo hello", fds=[writing, question])
    for fd in (writing, question, asking):
        os.close(fd)
    assert await read(reading) == b"hello world"
    assert await child.wait() == 0
    assert await read(reading) == b"", "somebody still holds the child's end of the pipe"
    os.close(reading)


async def test_a_large_argument_arrives_whole_and_in_order_with_descriptors(server: ForkServer) -> None:
    value = "x" * 9_000
    pipes = [os.pipe() for _ in range(20)]
    nothing = os.open(os.devnull, os.O_RDONLY)
    children = await asyncio.gather(
        *(server.spawn(f"echo {number}{value}".encode(), fds=[pipe[1], nothing]) for number, pipe in enumerate(pipes)),
        server.spawn(b"exit 9" + b" " * 3_000_000),
    )
    for number, (reading, writing) in enumerate(pipes):
        os.close(writing)
        assert await read(reading) == f"{number}{value}".encode()
        os.close(reading)
    os.close(nothing)
    assert [await child.wait() for child in children] == [0] * 20 + [9]


@on_linux
async def test_a_child_starts_clean(server: ForkServer) -> None:
    reading, writing = os.pipe()
    child = await server.spawn(b"describe", environment={"GIVEN": "here"}, fds=[writing])
    found = json.loads(await read(reading))
    os.close(reading)
    os.close(writing)
    assert await child.wait() == 0
    assert found == {
        "session": True,
        "group": True,
        "terminate": True,
        "interrupt": True,
        "child": True,
        "blocked": 0,
        "descriptors": 5,  # standard ones, the one given, the listing itself
        "environment": {"GIVEN": "here", "FROM_SERVER": "yes"},
        "stdin": os.devnull,
    }


async def test_the_environment_of_one_child_is_not_the_next_ones(server: ForkServer) -> None:
    await (await server.spawn(b"exit 0", environment={"GIVEN": "here"})).wait()
    reading, writing = os.pipe()
    await server.spawn(b"describe", fds=[writing])
    assert json.loads(await read(reading))["environment"]["GIVEN"] is None
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("argument", "exit_code"),
    [(b"exit 0", 0), (b"exit 75", 75), (b"leave 7", 7), (b"leave sorry", 1), (b"raise oh", 1)],
)
async def test_the_exit_code_is_what_a_program_of_its_own_would_give(
    server: ForkServer, argument: bytes, exit_code: int
) -> None:
    child = await server.spawn(argument)
    assert await child.wait() == exit_code
    assert await child.wait() == exit_code, "asked twice"


async def test_an_uncaught_exception_is_told_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    server = await launch()
    await (await server.spawn(b"raise something unheard of")).wait()
    await server.aclose()
    assert "RuntimeError: something unheard of" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
async def test_a_signal_ends_a_child_at_any_time(server: ForkServer, number: signal.Signals) -> None:
    child = await server.spawn(b"sleep")
    child.send_signal(number)
    # An interrupt is an exception in Python, which the child may or may not have been ready to catch.
    assert await child.wait() == (1 if number is signal.SIGINT else 128 + number)


async def test_a_signal_to_a_child_that_has_ended_does_nothing(server: ForkServer) -> None:
    child = await server.spawn(b"exit 3")
    assert await child.wait() == 3
    child.send_signal(signal.SIGKILL)
    assert await (await server.spawn(b"exit 4")).wait() == 4


async def test_a_crash_of_one_child_harms_no_other(server: ForkServer) -> None:
    others = [await server.spawn(b"sleep") for _ in range(3)]
    crashed = await server.spawn(b"sleep")
    crashed.send_signal(signal.SIGSEGV)
    assert await crashed.wait() == 128 + signal.SIGSEGV
    assert not any(is_gone(other.pid) for other in others)
    assert await (await server.spawn(b"exit 5")).wait() == 5


async def test_many_children_live_at_once(server: ForkServer) -> None:
    children = await asyncio.gather(*(server.spawn(b"sleep") for _ in range(64)))
    assert len({child.pid for child in children}) == 64
    for child in children:
        child.send_signal(signal.SIGTERM)
    assert {await child.wait() for child in children} == {143}


@on_linux
async def test_a_thousand_children_leave_neither_descriptors_nor_zombies(server: ForkServer) -> None:
    reading, writing = os.pipe()
    await (await server.spawn(b"exit 0", fds=[writing])).wait()
    ours = psutil.Process()
    process = _server_of(ours)
    before = ours.num_fds(), process.num_fds()
    for _ in range(20):
        children = await asyncio.gather(*(server.spawn(b"exit 0", fds=[writing]) for _ in range(50)))
        assert {await child.wait() for child in children} == {0}
    assert (ours.num_fds(), process.num_fds()) == before
    assert process.children() == []
    os.close(reading)
    os.close(writing)


def _server_of(process: psutil.Process) -> psutil.Process:
    return next(child for child in process.children() if "cody_runtime.fork_server" in child.cmdline())


async def test_closing_ends_children_and_server() -> None:
    server = await launch()
    pid, wait = await spawn_begun(server, "sleep")
    parent = psutil.Process(pid).ppid()
    await server.aclose()
    assert await wait() == 143
    assert is_gone(pid)
    assert is_gone(parent)
    assert server.gone


async def test_closing_kills_what_does_not_end_in_time() -> None:
    server = await launch(grace=0.2)
    _, wait = await spawn_begun(server, "stubborn")
    await server.aclose()
    assert await wait() == 137


async def test_nothing_starts_after_closing() -> None:
    server = await launch()
    await server.aclose()
    with pytest.raises(Unavailable, match="has ended"):
        await server.spawn(b"exit 0")


async def test_a_server_whose_imports_fail_says_so_at_the_first_request(capfd: pytest.CaptureFixture[str]) -> None:
    server = await launch(entry="no_such_module:act")
    with pytest.raises(Unavailable, match="fork server"):
        await server.spawn(b"exit 0")
    await server.aclose()
    assert "No module named 'no_such_module'" in capfd.readouterr().err


@on_linux
async def test_the_children_of_a_killed_server_end_and_waiting_for_them_fails() -> None:
    server = await launch()
    pid, wait = await spawn_begun(server, "sleep")
    psutil.Process(psutil.Process(pid).ppid()).kill()
    with pytest.raises(Unavailable):
        await wait()
    await wait_until(lambda: is_gone(pid), "the child is gone")
    assert server.gone
    await server.aclose()


async def test_a_child_that_nobody_waits_for_any_more_ends(server: ForkServer) -> None:
    await (await server.spawn(b"exit 0")).wait()  # the server is ready from here on
    reading, writing = os.pipe()
    spawning = asyncio.create_task(server.spawn(b"sleep", fds=[writing]))
    await asyncio.sleep(0)
    spawning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawning
    os.close(writing)
    await wait_until(lambda: _ended(reading), "the child has closed its end")
    os.close(reading)


async def _ended(fd: int) -> bool:
    return await read(fd) == b""


@on_linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_servers_and_children_end_with_the_process_that_forked_them(number: signal.Signals) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAMS / "owner_of_two.py"),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert owner.stdout is not None
    pids = [int(await asyncio.wait_for(owner.stdout.readline(), 20)) for _ in range(4)]
    assert not any(is_gone(pid) for pid in pids)
    owner.send_signal(number)
    await owner.wait()
    await wait_until(lambda: all(is_gone(pid) for pid in pids), "servers and children are gone")
