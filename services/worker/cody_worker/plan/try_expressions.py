"""Whether regular expressions that nobody has tried yet end in good time, found out in a process of their own."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

_PROGRAM = Path(__file__).with_name("expression_trial.py")
_MOST_SECONDS = 60.0
_NO_END = "takes far too long on some texts: it backtracks without end"
_wrong = msgspec.json.Decoder(str | None)


async def try_expressions(expressions: Sequence[str]) -> list[str | None]:
    """What is wrong with each one; None for one that can be used."""
    found: list[str | None] = []
    while len(found) < len(expressions):
        told = await _try(expressions[len(found) :])
        found += told
        if len(found) < len(expressions):
            found.append(_NO_END)
    return found


async def _try(expressions: Sequence[str]) -> list[str | None]:
    """Up to the first one that the program does not survive."""
    # An interpreter without packages and without our environment: it holds nothing that is worth having.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(_PROGRAM),
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output = await _talk(process, json.dumps(list(expressions)).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [_wrong.decode(line) for line in output.splitlines()]


async def _talk(process: asyncio.subprocess.Process, given: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    output = b""
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            process.stdin.write(given)
            process.stdin.close()
            async for line in process.stdout:
                output += line
            await process.wait()
    except (TimeoutError, ConnectionError):
        pass  # what it has told until then holds
    return output
