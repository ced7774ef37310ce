"""Children in milliseconds: a process that has already imported what they need forks one on request."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import traceback
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, NoReturn

import msgspec

from cody_jobs.errors import Unavailable
from cody_runtime.forking import (
    FDS_AT_ONCE,
    GRACE_SECONDS,
    ChildEnded,
    ChildRefused,
    ChildSpawned,
    Entry,
    FrameReader,
    Report,
    Request,
    SignalChild,
    SpawnChild,
    die_with_parent,
    frame,
    main,
    serve,
)

_READ_BYTES = 65536
_HAS_ENDED = "it has ended"


class ForkServer:
    """The owner's side. A child is a session of its own, starts with default signal handlers, and gets SIGTERM when
    the server dies. When the owner is gone, the server ends all children (SIGTERM, SIGKILL after `grace` seconds) and
    itself.

    Belongs to the event loop of its first use; it is to be closed with `aclose`.
    """

    _ours: ClassVar[weakref.WeakSet[socket.socket]] = weakref.WeakSet()

    def __init__(
        self, connection: socket.socket, ended: Callable[[], Awaitable[object]], terminate: Callable[[], None]
    ) -> None:
        connection.settimeout(0)
        self._connection = connection
        self._ended = ended
        self._terminate = terminate
        self._reports = FrameReader[Report](msgspec.msgpack.Decoder(Report))
        self._outgoing: deque[tuple[memoryview, list[int]]] = deque()
        self._children: dict[int, _Child] = {}
        self._last_id = 0
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gone = asyncio.Event()
        self._ours.add(connection)

    @classmethod
    def fork_now(cls, entry: Entry, *, grace: float = GRACE_SECONDS) -> "ForkServer":
        """Fork the server from the present process; to be called before any thread or event loop exists."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            cls._become_server(theirs, entry, grace)
        theirs.close()
        return cls(ours, lambda: asyncio.to_thread(_reap, pid), lambda: os.kill(pid, signal.SIGTERM))

    @classmethod
    async def launch(
        cls,
        entry: str,
        *,
        environment: Mapping[str, str],
        preload: Sequence[str] = (),
        grace: float = GRACE_SECONDS,
        inherit: Sequence[int] = (),
    ) -> "ForkServer":
        """Start the server in a fresh interpreter, with exactly this environment.

        `entry` is "module:function"; its module and the `preload` ones are imported there, once. Returns at once:
        requests wait until the imports are done, and raise `Unavailable` when those fail. Server and children keep
        the descriptors `inherit` open to their end.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "cody_runtime.fork_server", str(grace), entry, *preload,
                stdin=theirs.fileno(), env=dict(environment), start_new_session=True,
                pass_fds=inherit,
            )  # fmt: skip
        return cls(ours, process.wait, process.terminate)

    @classmethod
    def _become_server(cls, connection: socket.socket, entry: Entry, grace: float) -> NoReturn:
        """What the forked process does. It forgets the owner's ends, or it would keep the other servers from seeing
        that their owner is gone."""
        try:
            os.setsid()
            for ours in cls._ours:
                ours.close()
            die_with_parent(signal.SIGTERM)
            serve(connection, entry, grace=grace)
        except Exception:  # noqa: BLE001 (the forked process ends here, and must not run on in its parent's code)
            traceback.print_exc()
        finally:
            os._exit(0)

    @property
    def gone(self) -> bool:
        """The server has ended: nothing can be spawned any more."""
        return self._gone.is_set()

    async def spawn(
        self, argument: bytes, *, environment: Mapping[str, str] | None = None, fds: Sequence[int] = ()
    ) -> "ForkedProcess":
        """Fork a child that runs the entry with `argument` and its own copies of `fds` (at most 253).

        `environment` is added to what the server has. Raises `Unavailable` when the server is gone or cannot fork.
        """
        if len(fds) > FDS_AT_ONCE:
            raise ValueError(f"{len(fds)} descriptors: at most {FDS_AT_ONCE} fit into one message")
        self._attach()
        self._last_id += 1
        number, child = self._last_id, _Child()
        self._children[number] = child
        self._send(SpawnChild(id=number, argument=argument, environment=environment or {}, fds=len(fds)), fds)
        try:
            pid = await child.spawned
        except asyncio.CancelledError:
            # Nobody will know the child: it must not outlive the wish for it.
            self._send(SignalChild(id=number, number=signal.SIGTERM))
            raise
        return ForkedProcess(pid, child.ended, lambda wanted: self._send(SignalChild(id=number, number=wanted)))

    async def aclose(self) -> None:
        """End the children (SIGTERM, SIGKILL after the grace) and the server, and return when all of them are gone."""
        self._attach()
        if not self._closing:
            self._closing = True
            with contextlib.suppress(ProcessLookupError):
                self._terminate()  # it may be busy importing, and would not see the connection's end until then
            self._flush()
        await self._gone.wait()
        await self._ended()

    def _attach(self) -> None:
        """Start listening at the first use, in the loop of that use."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._connection, self._read)

    def _send(self, request: Request, fds: Sequence[int] = ()) -> None:
        """Queue a message whole, so that a cancelled caller leaves no half of one."""
        if self.gone or self._closing:
            self._settle(ChildRefused(id=request.id, reason=_HAS_ENDED))
            return
        self._outgoing.append((memoryview(frame(request)), [os.dup(fd) for fd in fds]))
        self._flush()

    def _flush(self) -> None:
        if self.gone or self._loop is None:
            return
        while self._outgoing:
            data, fds = self._outgoing.popleft()
            try:
                sent = socket.send_fds(self._connection, [data], fds)
            except BlockingIOError:
                self._outgoing.appendleft((data, fds))
                self._loop.add_writer(self._connection, self._flush)
                return
            except OSError:
                sent = len(data)  # the server is gone; reading says so, too
            _close_all(fds)
            if sent < len(data):
                self._outgoing.appendleft((data[sent:], []))
        self._loop.remove_writer(self._connection)
        if self._closing:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        try:
            data = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
        for report in self._reports.feed(data):
            self._settle(report)

    def _settle(self, report: Report) -> None:
        child = self._children.get(report.id)
        if child is None:
            return
        match report:
            case ChildSpawned():
                child.has_pid(report.pid)
            case ChildRefused():
                del self._children[report.id]
                child.is_lost(report.reason)
            case ChildEnded():
                del self._children[report.id]
                child.has_ended(report.exit_code)

    def _lose(self) -> None:
        assert self._loop is not None
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        for _, fds in self._outgoing:
            _close_all(fds)
        self._outgoing.clear()
        self._gone.set()
        for number in list(self._children):
            self._settle(ChildRefused(id=number, reason=_HAS_ENDED))


class ForkedProcess:
    """A child of the fork server; `pid` may belong to somebody else once it has ended."""

    def __init__(self, pid: int, ended: "asyncio.Future[int | None]", send: Callable[[int], None]) -> None:
        self.pid = pid
        self._ended = ended
        self._send = send

    async def wait(self) -> int:
        """The exit code, 128 + n for signal n. Raises `Unavailable` when the server was lost before it could tell."""
        exit_code = await asyncio.shield(self._ended)
        if exit_code is None:
            raise Unavailable("fork server", _HAS_ENDED)
        return exit_code

    def send_signal(self, number: int) -> None:
        """Signal the child; nothing happens when it has ended, and a reused pid is never hit: the server sends it,
        which alone reaps."""
        if not self._ended.done():
            self._send(number)


class _Child:
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.spawned: asyncio.Future[int] = loop.create_future()
        self.ended: asyncio.Future[int | None] = loop.create_future()

    def has_pid(self, pid: int) -> None:
        if not self.spawned.done():
            self.spawned.set_result(pid)

    def has_ended(self, exit_code: int | None) -> None:
        if not self.ended.done():
            self.ended.set_result(exit_code)

    def is_lost(self, reason: str) -> None:
        self.has_ended(None)
        if not self.spawned.done():
            self.spawned.set_exception(Unavailable("fork server", reason))


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
