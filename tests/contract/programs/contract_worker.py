"""The worker of the Compute contract: notes what it was given, then does what the request planned for its shard."""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    index = environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")
    verb, _, value = environment.get(f"PLAN_{index}", environment.get("PLAN", "exit 0")).partition(" ")
    if verb == "give_back":
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(75))
    if verb == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder = Path(environment["NOTES"])
    _note(folder / f"{arguments[1]} {index}.json", {"arguments": arguments, "environment": dict(environment)})
    match verb:
        case "exit":
            return int(value)
        case "say":
            sys.stderr.write(value.replace("|", "\n"))
            return 1
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            while not (folder / f"go {arguments[1]} {index}").exists():
                time.sleep(0.005)
        case _:
            time.sleep(60)
    return 0


def _note(path: Path, found: object) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(found))
    unfinished.rename(path)
