"""`python -m cody_stand_ins.claude`: serve until SIGTERM, SIGINT or, with --until-stdin-ends, the parent's end."""

import argparse
import asyncio
import pkgutil
import sys
from collections.abc import Sequence

from cody_stand_ins.claude.faults import Faults, parse_fault
from cody_stand_ins.claude.migrations import find_migration
from cody_stand_ins.claude.server import StandIn
from cody_stand_ins.serve import serve


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    faults = Faults(
        faults=tuple(parse_fault(text) for text in options.fault),
        latency=options.latency,
        jitter=options.jitter,
        batch_latency=options.batch_latency,
        requests_per_minute=options.requests_per_minute,
        input_tokens_per_minute=options.input_tokens_per_minute,
        output_tokens_per_minute=options.output_tokens_per_minute,
        time_scale=options.time_scale,
        seed=options.seed,
    )
    stand_in = StandIn(options.key or ["stand-in-key"], faults, options.migrations)
    serving = serve(
        stand_in,
        host=options.host,
        port=options.port,
        until_stdin_ends=options.until_stdin_ends,
        keep_alive=30,
    )
    asyncio.run(serving)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cody_stand_ins.claude", description="A stand-in for the Claude API. Prints its URL, then serves."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--key", action="append", help="a key that is accepted; repeatable (default: stand-in-key)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each answer takes")
    parser.add_argument("--jitter", type=float, default=0.0, help="seconds more or less")
    parser.add_argument("--batch-latency", type=float, default=0.0, help="seconds that each batch takes")
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
