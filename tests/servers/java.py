"""Which Java this machine has."""

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE

import msgspec

_OLDEST = 17
_SECONDS = 60.0


class ServerMissing(Exception):
    """What a server needs is not on this machine; the message says what."""


class Java(msgspec.Struct, frozen=True, kw_only=True):
    program: str
    can_compile: bool
    """False for a runtime without development kit."""


async def find_java() -> Java:
    """Raises ServerMissing."""
    program = shutil.which("java")
    if program is None:
        raise ServerMissing("there is no Java")
    modules = await _output_of(program, "--list-modules")
    version = re.search(r"^java\.base@(\d+)", modules, re.MULTILINE)
    if version is None or int(version[1]) < _OLDEST:
        raise ServerMissing(f"Java is older than {_OLDEST}")
    return Java(program=program, can_compile="jdk.compiler@" in modules)


def java_options(*, heap_megabytes: int) -> list[str]:
    """For a server that lives for minutes: a small heap, and no time spent on the best machine code."""
    return [f"-Xmx{heap_megabytes}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


async def _output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    async with asyncio.timeout(_SECONDS):
        output, _ = await process.communicate()
    return output.decode(errors="replace")
