"""Serve an ASGI application, on a free loopback port where no other is wanted, until a signal or the end of standard
input."""

import asyncio
import os
import socket
import sys
from typing import Any

import uvicorn


async def serve(
    application: Any, *, host: str = "127.0.0.1", port: int = 0, until_stdin_ends: bool = True, keep_alive: int = 5
) -> None:
    """Print the URL, then serve. Whoever holds our standard input holds our life: it ends with them."""
    listener = socket.create_server((host, port), backlog=1_024)
    # Accepted sockets inherit it; without, every second write of a stream waits 40 ms for the client's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Stand-ins cut connections by raising; the server would log each of them as a crash.
    config = uvicorn.Config(
        application,
        log_level="critical",
        access_log=False,
        lifespan="off",
        http="httptools",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=keep_alive,
    )
    server = uvicorn.Server(config)
    if until_stdin_ends:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end, server)
    host, port = listener.getsockname()[:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await server.serve([listener])


def _stop_at_end(server: uvicorn.Server) -> None:
    if not os.read(sys.stdin.fileno(), 4_096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        server.should_exit = True
