"""Patches of any two trees, not only of edits: what later steps may do to a tree has to apply as well."""

import os
from pathlib import Path

import pygit2
import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.patch import diff_trees
from tests.support.repositories import EXECUTABLE, LINK, SUBMODULE, Entry, apply_patch, make_repository

TEXT = b"".join(b"line %d\n" % number for number in range(100))
BEFORE: dict[bytes, bytes | Entry] = {
    b"kept": b"kept\n",
    b"deleted": b"deleted\n",
    b"deleted-binary": bytes(range(256)),
    b"renamed": TEXT,
    b"renamed-and-edited": TEXT + b"two\n",
    b"made-executable": b"#!/bin/sh\n",
    b"no-longer-executable": Entry(b"#!/bin/sh\nls\n", EXECUTABLE),
    b"binary": bytes(range(256)) * 8,
    b"emptied": b"full\n",
    b"filled": b"",
    b"file-to-link": b"kept\n",
    b"link-to-file": Entry(b"kept", LINK),
    b"link": Entry(b"kept", LINK),
    b"becomes-a-folder": b"1\n",
    b"folder/becomes-a-file": b"2\n",
    b"module": Entry(b"1" * 40, SUBMODULE),
    b"not-utf8-\xff.py": b"one\n",
    b"utf16": "one\r\n".encode("utf-16"),
    b"no-final-newline": b"one",
    'accents é 日本\t"quoted"\n'.encode(): b"one\n",
}
AFTER: dict[bytes, bytes | Entry] = {
    b"kept": b"kept\n",
    b"new/name of it": TEXT,
    b"new/edited": TEXT + b"three\n",
    b"made-executable": Entry(b"#!/bin/sh\n", EXECUTABLE),
    b"no-longer-executable": b"#!/bin/sh\nls\n",
    b"binary": bytes(reversed(range(256))) * 8,
    b"emptied": b"",
    b"filled": b"full",
    b"file-to-link": Entry(b"kept", LINK),
    b"link-to-file": b"kept",
    b"link": Entry(b"/etc/passwd", LINK),
    b"becomes-a-folder/with": b"1\n",
    b"folder": b"2\n",
    b"module": Entry(b"2" * 40, SUBMODULE),
    b"not-utf8-\xff.py": b"two\n",
    b"utf16": "two\r\n".encode("utf-16"),
    b"no-final-newline": b"two",
    'accents é 日本\t"quoted"\n'.encode(): b"two\n",
    b"added-binary": os.urandom(1000),
    b"added-executable": Entry(b"#!/bin/sh\n", EXECUTABLE),
    b"added-empty": b"",
    b"added\xfe": b"1\n",
}


def difference(folder: Path, before: str, after: str, *, most_bytes: int = 1_000_000) -> bytes:
    repository = pygit2.Repository(folder)
    repository.config["core.abbrev"] = 40
    old, new = (repository[tree].id.raw for tree in (before, after))
    return diff_trees(repository, old, new, most_bytes=most_bytes).patch


RENAME = (b"renamed", b"new/name of it")


@pytest.mark.parametrize("path", sorted({*BEFORE, *AFTER} - {b"kept"}))
def test_every_kind_of_change_applies_by_itself(tmp_path: Path, path: bytes) -> None:
    related = RENAME if path in RENAME else (path,)
    before = {b"kept": b"kept\n", **{name: BEFORE[name] for name in related if name in BEFORE}}
    after = {b"kept": b"kept\n", **{name: AFTER[name] for name in related if name in AFTER}}
    repository = make_repository(tmp_path / "source", before)
    base, old = repository.resolve("main"), repository.resolve("main^{tree}")
    repository.commit(after, replace=True)
    new = repository.resolve("main^{tree}")

    patch = difference(repository.path, old, new)

    assert apply_patch(repository, base, patch, tmp_path / "applied") == new


def test_all_changes_apply_together(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "source", BEFORE)
    base, old = repository.resolve("main"), repository.resolve("main^{tree}")
    repository.commit(AFTER, replace=True)
    new = repository.resolve("main^{tree}")

    patch = difference(repository.path, old, new)

    assert b"rename from renamed\n" in patch
    assert apply_patch(repository, base, patch, tmp_path / "applied") == new


def test_a_patch_that_nobody_could_review_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "source", {"a": b"1\n"})
    old = repository.resolve("main^{tree}")
    repository.commit({"a": b"x" * 10_000 + b"\n"})

    with pytest.raises(JobFailed, match="larger than 10,000 bytes") as caught:
        difference(repository.path, old, repository.resolve("main^{tree}"), most_bytes=10_000)

    assert caught.value.code == FailureCode.REPOSITORY_TOO_LARGE
