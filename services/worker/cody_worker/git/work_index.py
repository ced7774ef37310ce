"""The index of a work tree's own repository, so that git finds nothing changed until something is."""

import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from cody_worker.git.rewrite_tree import canonical_mode, is_submodule
from cody_worker.git.trees import FoundFile

_HEADER = struct.Struct(">4sII")
_ENTRY = struct.Struct(">10I20sH")
_LONGEST_NAME = 0xFFF
_32_BITS = 0xFFFFFFFF


def write_index(index: Path, folder: Path, files: Iterable[FoundFile]) -> None:
    """Version 2 of git's index format (`gitformat-index`), by hand: libgit2 would have every file's bytes written once
    more. Only size and time of change are filled in; the repository is to have `core.checkStat=minimal`."""
    entries = [_entry(folder, file) for file in sorted(files) if not is_submodule(file.mode)]
    data = b"".join([_HEADER.pack(b"DIRC", 2, len(entries)), *entries])
    index.write_bytes(data + hashlib.sha1(data, usedforsecurity=False).digest())


def _entry(folder: Path, file: FoundFile) -> bytes:
    facts = (folder / os.fsdecode(file.path)).lstat()
    seconds, nanoseconds = divmod(facts.st_mtime_ns, 1_000_000_000)
    mode, size = canonical_mode(file.mode), facts.st_size & _32_BITS
    entry = _ENTRY.pack(
        0, 0, seconds & _32_BITS, nanoseconds, 0, 0, mode, 0, 0, size, file.id, min(len(file.path), _LONGEST_NAME)
    )
    entry += file.path
    return entry + b"\0" * (8 - len(entry) % 8)
