"""The process on the other side of a `ForkServer`: single-threaded, has imported what its children need, forks them on
request, and reports how they ended. When its owner is gone, it ends its children and itself.

Run as `python -m cody_runtime.fork_server GRACE_SECONDS module:function [module ...]`, with the owner's socket as
standard input.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Generic, NoReturn, TypeVar

import msgspec

Entry = Callable[[bytes, list[int]], int]
"""What a child does with the argument and the descriptors of its request; the exit code."""

FDS_AT_ONCE = 253
"""Descriptors that one message may carry (Linux: SCM_MAX_FD)."""

GRACE_SECONDS = 20.0
_READ_BYTES = 65536
_PR_SET_PDEATHSIG = 1


class SpawnChild(msgspec.Struct, frozen=True, kw_only=True, tag="spawn"):
    id: int
    argument: bytes
    environment: Mapping[str, str]
    fds: int


class SignalChild(msgspec.Struct, frozen=True, kw_only=True, tag="signal"):
    id: int
    number: int


class ChildSpawned(msgspec.Struct, frozen=True, kw_only=True, tag="spawned"):
    id: int
    pid: int


class ChildRefused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    id: int
    reason: str


class ChildEnded(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    id: int
    exit_code: int


Request = SpawnChild | SignalChild
Report = ChildSpawned | ChildRefused | ChildEnded
M = TypeVar("M")


def frame(message: Request | Report) -> bytes:
    body = msgspec.msgpack.encode(message)
    return struct.pack("!I", len(body)) + body


class FrameReader(Generic[M]):
    """Cuts a stream of bytes into messages, each a length (4 bytes, big endian) and msgpack."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[M]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[M]:
        self._buffer += data
        while len(self._buffer) >= 4:
            (length,) = struct.unpack_from("!I", self._buffer)
            if len(self._buffer) < 4 + length:
                return
            message = self._decoder.decode(bytes(self._buffer[4 : 4 + length]))
            del self._buffer[: 4 + length]
            yield message


def main(arguments: Sequence[str]) -> int:
    grace, entry, *preloaded = arguments
    connection = _take_standard_input()
    die_with_parent(signal.SIGTERM)
    for module in preloaded:
        importlib.import_module(module)
    serve(connection, find_entry(entry), grace=float(grace))
    return 0


def find_entry(name: str) -> Entry:
    """The function behind "module:function"."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def serve(connection: socket.socket, entry: Entry, *, grace: float) -> None:
    """Fork children until the owner closes the connection or SIGTERM arrives, then end them all and return: with
    SIGTERM, and with SIGKILL what is left after `grace` seconds."""
    gc.collect()
    gc.freeze()  # so that a child's collector does not touch, and thereby copy, every page that it shares with us
    _Forker(connection, entry).run(grace)


def die_with_parent(number: int) -> None:
    """Have the kernel send us this signal when the thread that made us ends; Linux alone can do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def _take_standard_input() -> socket.socket:
    """Move the owner's socket away from descriptor 0, which children would otherwise share."""
    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return connection


class _Forker:
    def __init__(self, connection: socket.socket, entry: Entry) -> None:
        self._connection = connection
        self._entry = entry
        self._requests = FrameReader[Request](msgspec.msgpack.Decoder(Request))
        self._fds: deque[int] = deque()
        self._pids: dict[int, int] = {}
        self._ids: dict[int, int] = {}
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._stopping = False

    def run(self, grace: float) -> None:
        self._watch_signals()
        self._selector.register(self._connection, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        while not self._stopping:
            for key, _ in self._selector.select():
                self._read_requests() if key.fileobj is self._connection else self._reap()
        self._selector.unregister(self._connection)
        self._end_children(grace)

    def _watch_signals(self) -> None:
        for one_end in (self._wake, self._waker):
            one_end.settimeout(0)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which ends us in its own order

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _read_requests(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, _READ_BYTES, FDS_AT_ONCE)
        except OSError:
            data, fds = b"", []
        self._fds.extend(fds)
        if not data:
            self._stopping = True
        for request in self._requests.feed(data):
            match request:
                case SpawnChild():
                    self._spawn(request)
                case SignalChild():
                    self._signal(request)

    def _signal(self, request: SignalChild) -> None:
        pid = self._pids.get(request.id)
        if pid is not None:  # not reaped yet, so the pid is still this child's
            os.kill(pid, request.number)

    def _spawn(self, request: SpawnChild) -> None:
        fds = [self._fds.popleft() for _ in range(request.fds)]
        watched = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, watched)  # no handler of ours may run in the child
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._report(ChildRefused(id=request.id, reason=f"fork: {error.strerror}"))
        else:
            if pid == 0:
                self._become_child(request, fds, parent)
            self._pids[request.id], self._ids[pid] = pid, request.id
            self._report(ChildSpawned(id=request.id, pid=pid))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
            for fd in fds:
                os.close(fd)

    def _become_child(self, request: SpawnChild, fds: list[int], parent: int) -> NoReturn:
        exit_code = 1
        try:
            os.setsid()
            self._forget_server()
            die_with_parent(signal.SIGTERM)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)  # the server died before it could be watched
            os.environ.update(request.environment)
            exit_code = _run_entry(self._entry, request.argument, fds)
        finally:
            os._exit(exit_code)

    def _forget_server(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        for end in (self._connection, self._wake, self._waker):
            end.close()
        for fd in self._fds:
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT})

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(_READ_BYTES)
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._ids.pop(pid, None)
            if child is None:
                continue
            del self._pids[child]
            code = os.waitstatus_to_exitcode(status)
            self._report(ChildEnded(id=child, exit_code=code if code >= 0 else 128 - code))

    def _report(self, report: Report) -> None:
        try:
            self._connection.sendall(frame(report))
        except OSError:
            self._stopping = True

    def _end_children(self, grace: float) -> None:
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self._pids and (left := deadline - time.monotonic()) > 0:
            if self._selector.select(left):
                self._reap()
        self._signal_all(signal.SIGKILL)
        while self._pids:
            self._selector.select()
            self._reap()

    def _signal_all(self, number: int) -> None:
        for pid in self._pids.values():
            os.kill(pid, number)


def _run_entry(entry: Entry, argument: bytes, fds: list[int]) -> int:
    try:
        return entry(argument, fds) & 0xFF
    except SystemExit as exit_:
        return _exit_code(exit_.code)
    except BaseException:  # noqa: BLE001 (the child ends here whatever it was; its caller learns it from the exit code)
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)  # as the interpreter itself does
    return 1
