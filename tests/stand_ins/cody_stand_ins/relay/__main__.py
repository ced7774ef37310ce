"""`python -m cody_stand_ins.relay --target URL`: serve until SIGTERM, SIGINT or the end of standard input."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from cody_stand_ins.relay.server import RelayServer
from cody_stand_ins.serve import serve


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cody_stand_ins.relay", description="A relay that makes trouble. Prints its URL, then serves."
    )
    parser.add_argument("--target", required=True, help="URL of the emulator behind it")
    options = parser.parse_args(arguments)

    async def run() -> None:
        await serve(RelayServer(options.target))

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
