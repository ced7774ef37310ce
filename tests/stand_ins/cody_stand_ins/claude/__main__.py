"""`python -m cody_stand_ins.claude`: serve until SIGTERM, SIGINT or, with --until-stdin-ends, the parent's end."""

import argparse
import asyncio
import os
import pkgutil
import socket
import sys
from collections.abc import Sequence

import uvicorn

from cody_stand_ins.claude.faults import Faults, parse_fault
from cody_stand_ins.claude.migrations import find_migration
from cody_stand_ins.claude.server import StandIn


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    faults = Faults(
        faults=tuple(parse_fault(text) for text in options.fault),
        latency=options.latency,
        jitter=options.jitter,
        requests_per_minute=options.requests_per_minute,
        input_tokens_per_minute=options.input_tokens_per_minute,
        output_tokens_per_minute=options.output_tokens_per_minute,
        time_scale=options.time_scale,
        seed=options.seed,
    )
    listener = socket.create_server((options.host, options.port), backlog=1_024)
    # Accepted sockets inherit it; without, every second write of a stream waits 40 ms for the client's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stand_in = StandIn(options.key or ["stand-in-key"], faults, options.migrations)
    asyncio.run(_serve(stand_in, listener, until_stdin_ends=options.until_stdin_ends))
    return 0


async def _serve(stand_in: StandIn, listener: socket.socket, *, until_stdin_ends: bool) -> None:
    # The stand-in cuts connections by raising; the server would log each of them as a crash.
    config = uvicorn.Config(
        stand_in,
        log_level="critical",
        access_log=False,
        lifespan="off",
        http="httptools",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cody_stand_ins.claude", description="A stand-in for the Claude API. Prints its URL, then serves."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--key", action="append", help="a key that is accepted; repeatable (default: stand-in-key)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each answer takes")
    parser.add_argument("--jitter", type=float, default=0.0, help="seconds more or less")
    for limit in ("--requests-per-minute", "--input-tokens-per-minute", "--output-tokens-per-minute"):
        parser.add_argument(limit, type=int, default=None)
    parser.add_argument("--time-scale", type=float, default=1.0, help="so much faster passes a minute of the limits")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:times=N][:share=X][:path=REGEX][:retryAfter=S][:after=S][:lasts=S]",
        help="something that goes wrong; repeatable",
    )
    parser.add_argument(
        "--migrations",
        type=pkgutil.resolve_name,
        default=find_migration,
        metavar="MODULE:FUNCTION",
        help="finds the rewrite for a task and a path, instead of the few that are built in",
    )
    parser.add_argument(
        "--until-stdin-ends", action="store_true", help="stop when the parent closes our stdin, or dies"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
