"""The main job on real input: `Optional[X]` becomes `X | None` in the sources of installed libraries."""

import hashlib
from pathlib import Path

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import Libraries, environment_for
from tests.story.library_repositories import git
from tests.story.optional_oracle import rewrite
from tests.story.system import System, running_system

PROMPT = "Rewrite Optional[X] to X | None. Leave the imports as they are."


async def test_patches_are_what_an_independent_oracle_computes(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, libraries: Libraries
) -> None:
    before = folder_hash(libraries.root)
    async with running_system(tmp_path, environment_for(database_url, stand_in, libraries.root)) as system:
        first = await system.submit(libraries.names, PROMPT)
        job = await system.ended(first)
        assert job["status"] == "SUCCEEDED", job
        patches = {name: await system.diff(first, name) for name in libraries.names}
        files, changed = check_patches(tmp_path, libraries, patches)
        assert len(libraries.names) >= 15
        assert files >= 1_500
        assert changed >= 200
        await check_totals(system, first, stand_in, libraries, changed)
        await check_second_run_asks_nothing(system, libraries, patches, stand_in)
    assert folder_hash(libraries.root) == before, "a target repository was written to"


async def check_totals(
    system: System, job_id: str, stand_in: ClaudeStandIn, libraries: Libraries, changed: int
) -> None:
    """One call for the plan, and none for a file in which it finds nothing."""
    job = await system.job(job_id)
    stats = await stand_in.stats()
    assert changed < stats.messages <= 1 + with_a_match(libraries)
    assert sum(question.path is None for question in stats.questions) == 1
    assert job["usage"]["calls"] == stats.answered
    assert job["usage"]["costMicrousd"] > 0


async def check_second_run_asks_nothing(
    system: System, libraries: Libraries, patches: dict[str, bytes | None], stand_in: ClaudeStandIn
) -> None:
    await stand_in.reset()
    second = await system.submit(libraries.names, PROMPT)
    job = await system.ended(second)
    assert job["status"] == "SUCCEEDED"
    assert (await stand_in.stats()).messages == 0
    assert job["usage"]["costMicrousd"] == 0
    assert {name: await system.diff(second, name) for name in libraries.names} == patches


def check_patches(folder: Path, libraries: Libraries, patches: dict[str, bytes | None]) -> tuple[int, int]:
    """Each applies to a fresh clone, and the result is the oracle's in every byte of every file; how many files there
    are, and how many of them changed."""
    files = changed = 0
    for name, patch in patches.items():
        source, clone = libraries.root / name, folder / "clones" / name
        clone.parent.mkdir(parents=True, exist_ok=True)
        git(folder, "clone", "--quiet", str(source), str(clone))
        if patch:
            git(clone, "apply", "--check", "--index", stdin=patch)
            git(clone, "apply", "--index", stdin=patch)
        for path in tracked(source):
            data = (source / path).read_bytes()
            expected = rewrite(data) if b"Optional[" in data else data
            assert (clone / path).read_bytes() == expected, f"{name}: {path}"
            files += 1
            changed += expected != data
    return files, changed


def with_a_match(libraries: Libraries) -> int:
    files = [libraries.root / name / path for name in libraries.names for path in tracked(libraries.root / name)]
    return sum(b"Optional[" in file.read_bytes() for file in files)


def tracked(repository: Path) -> list[str]:
    return git(repository, "ls-files", "-z").decode().rstrip("\0").split("\0")


def folder_hash(folder: Path) -> str:
    """Of all names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
