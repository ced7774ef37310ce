"""Run a migration as a job of a real system, and see what came of it."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from evals.migration import Files, Migration
from evals.score import Score, judge
from tests.story.system import ENDED, System
from tests.support.repositories import make_repository, run_git

_SECONDS_BETWEEN_LOOKS = 0.2
_FILES_OF_A_PAGE = 100


class Bench(Struct, frozen=True, kw_only=True):
    """A running system, and the folder from which it takes its repositories. `clock` gives seconds."""

    system: System
    root: Path
    model: str | None
    clock: Callable[[], float]


async def measure(bench: Bench, migration: Migration, *, max_cost_usd: float | None = None) -> Score:
    """The job is cancelled once it is seen to have cost more; files that are in flight then are still paid for."""
    names = {name: f"evals/{name}" for name in migration.repositories()}
    for name, files in migration.repositories().items():
        make_repository(bench.root / names[name], files, bare=False)
    start = bench.clock()
    job = await _ended(bench, await _submit(bench, migration, list(names.values())), max_cost_usd)
    seconds = bench.clock() - start
    runs = {name: await _run(bench, job["id"], names[name]) for name in names}
    after = {name: await _patched(bench, job["id"], names[name]) for name in names}
    return _score(migration, job, runs, after, seconds)


def _score(
    migration: Migration,
    job: Mapping[str, Any],
    runs: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Files],
    seconds: float,
) -> Score:
    asked = {name: [file["path"] for file in run["fileResults"]["items"]] for name, run in runs.items()}
    verdict, usage = judge(migration, after, asked), job["usage"]
    return Score(
        name=migration.name,
        hard=migration.hard,
        success=job["status"] == "SUCCEEDED" and verdict.is_perfect,
        status=job["status"],
        failures={name: run["failure"]["message"] for name, run in runs.items() if run["failure"]},
        verdict=verdict,
        calls=usage["calls"],
        input_tokens=usage["inputTokens"] + usage["cacheCreationInputTokens"] + usage["cacheReadInputTokens"],
        cached_tokens=usage["cacheReadInputTokens"],
        output_tokens=usage["outputTokens"],
        cost_usd=usage["costMicrousd"] / 1e6,
        seconds=seconds,
    )


async def _submit(bench: Bench, migration: Migration, names: list[str]) -> str:
    fields: dict[str, Any] = {"type": migration.type, "include": migration.include, "match": migration.match}
    if bench.model is not None:
        fields["model"] = bench.model
    return await bench.system.submit(names, migration.prompt, **fields)


async def _ended(bench: Bench, job_id: str, max_cost_usd: float | None) -> dict[str, Any]:
    while (job := await bench.system.job(job_id))["status"] not in ENDED:
        if max_cost_usd is not None and job["costUsd"] > max_cost_usd:
            (await bench.system.client.post(f"/jobs/{job_id}/cancel")).raise_for_status()
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
    return job


async def _run(bench: Bench, job_id: str, repository: str) -> dict[str, Any]:
    """With all of its files."""
    path, files, cursor = f"/jobs/{job_id}/repositories/{repository}", list[object](), None
    while True:
        page = {"limit": _FILES_OF_A_PAGE} | ({"cursor": cursor} if cursor else {})
        run = (await bench.system.client.get(path, params=page)).raise_for_status().json()
        files += run["fileResults"]["items"]
        cursor = run["fileResults"]["cursor"]
        if cursor is None:
            return msgspec.convert({**run, "fileResults": {"items": files}}, dict[str, Any])


async def _patched(bench: Bench, job_id: str, repository: str) -> Files:
    """The repository's files with the run's diff applied; of a failed run, with what it managed."""
    folder = bench.root / repository
    patch = await bench.system.diff(job_id, repository, partial=True)
    if patch:
        run_git(folder, "apply", "--index", stdin=patch)
    paths = run_git(folder, "ls-files", "-z").decode().rstrip("\0").split("\0")
    return {path: (folder / path).read_bytes() for path in paths}
