"""`python -m cody_stand_ins.github --folder F`: serve until SIGTERM, SIGINT or the end of standard input."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cody_stand_ins.github.record import RECORDINGS, Recorder
from cody_stand_ins.github.server import GitHubServer
from cody_stand_ins.github.webhooks import open_webhooks
from cody_stand_ins.serve import serve


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    asyncio.run(_run(options.folder, Recorder(options.recordings)))
    return 0


async def _run(folder: Path, recorder: Recorder) -> None:
    async with open_webhooks() as webhooks:
        await serve(GitHubServer(folder, webhooks, recorder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cody_stand_ins.github", description="A stand-in for GitHub. Prints its URL, then serves."
    )
    parser.add_argument("--folder", type=Path, required=True, help="where its repositories are")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="FOLDER",
        default=os.environ.get(RECORDINGS),
        help=f"keep every call of REST in a file there, a line of JSON each (default: ${RECORDINGS})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
