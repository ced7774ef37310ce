"""How a repository says that it wants to be left alone: by a topic, or by a file on its default branch."""

import tomllib
from collections.abc import Sequence

OPT_OUT_TOPIC = "no-cody-batch"
OPT_OUT_FILE = ".codybatch.toml"
OPT_OUT_MOST_BYTES = 65_536


def opted_out(topics: Sequence[str], file: bytes | None) -> str | None:
    """Why nobody may touch it, for people, or None. `file` is what `.codybatch.toml` holds, None: there is none.

    A file that cannot be read counts as no: whoever wrote it wanted something.
    """
    if OPT_OUT_TOPIC in topics:
        return f"the repository opted out (topic {OPT_OUT_TOPIC})"
    if file is None:
        return None
    try:
        enabled = tomllib.loads(file.decode()).get("enabled", True)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return f"its {OPT_OUT_FILE} cannot be read"
    if not isinstance(enabled, bool):
        return f"in its {OPT_OUT_FILE}, enabled is neither true nor false"
    return None if enabled else f"the repository opted out ({OPT_OUT_FILE})"
