"""Repositories that cannot be worked on, in one job with one that can: each fails alone, with a code that says why."""

import random
from pathlib import Path

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import environment_for
from tests.story.system import running_system
from tests.support.repositories import REGULAR, make_repository

PROMPT = "Rewrite Optional[X] to X | None."
GOOD = {"a.py": b"x: Optional[int] = None\n"}


async def test_each_bad_repository_fails_alone_and_says_why(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    owner = repositories / "acme"
    make_repository(owner / "good", GOOD)
    make_repository(owner / "empty")
    unborn = make_repository(owner / "unborn", GOOD)
    unborn.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
    (owner / "folder").mkdir()
    make_a_looping_blob(owner / "loops")
    names = [f"acme/{name}" for name in ("good", "empty", "unborn", "folder", "loops", "missing")]
    environment = environment_for(database_url, stand_in, repositories) | {"GIT_SECONDS": "3"}
    async with running_system(tmp_path, environment) as system:
        job = await system.ended(await system.submit(names, PROMPT))
        runs = {name: await system.run(job["id"], name) for name in names}
    assert job["status"] == "PARTIALLY_SUCCEEDED"
    assert runs.pop("acme/good")["outcome"] == "patch"
    assert {name: run["failure"]["code"] for name, run in runs.items()} == {
        "acme/empty": "repository_empty",
        "acme/unborn": "repository_empty",
        "acme/folder": "repository_not_found",
        "acme/loops": "repository_too_slow",
        "acme/missing": "repository_not_found",
    }
    assert all(run["failure"]["message"] for run in runs.values())


def make_a_looping_blob(path: Path) -> None:
    """A loose object that ends in its middle: libgit2 looks for the rest for ever."""
    repository = make_repository(path)
    blob = repository.write_object("blob", random.Random(1).randbytes(20_000).hex().encode())
    repository.commit_tree(repository.write_tree({b"a.py": (REGULAR, blob)}))
    file = repository.object_file(blob.hex())
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
