"""Owns two fork servers with a sleeping child each, prints the four process ids, and waits to be killed."""

import asyncio
import os
from pathlib import Path

from forked_children import act

from cody_runtime.fork_server import ForkServer


async def own(servers: list[ForkServer]) -> None:
    for server in servers:
        print((await server.spawn(b"sleep")).pid, flush=True)
    await asyncio.sleep(60)


def main() -> None:
    servers = [ForkServer.fork_now(act), ForkServer.fork_now(act)]
    print(*_children_of_this(), sep="\n", flush=True)
    asyncio.run(own(servers))


def _children_of_this() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


if __name__ == "__main__":
    main()
