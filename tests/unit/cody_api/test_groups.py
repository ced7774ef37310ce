"""Failures that are alike, and diffs that make the same change, are shown together."""

import httpx

from cody_backends.open_backends import Backends
from cody_jobs.models import Failure, FailureCode, FileCounts, RunFailed, RunOutcome
from cody_jobs.outcomes import RunPatch
from tests.unit.cody_api.stories import dispatch, finish, submit, succeeded


def failed(message: str, code: FailureCode = FailureCode.SYNTAX_BROKEN) -> RunFailed:
    return RunFailed(failure=Failure(code=code, message=message, retryable=False), files=FileCounts())


def patch(path: str, old: str, new: str) -> RunPatch:
    text = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -7 +7 @@\n-{old}\n+{new}\n"
    return RunPatch(
        base_commit="b" * 40, commit="c" * 40, branch="cody/x", message="m", patch=text.encode(), files_changed=1,
        lines_added=1, lines_removed=1,
    )  # fmt: skip


async def with_failures(client: httpx.AsyncClient, backends: Backends) -> str:
    results = {
        "acme/a": failed("2 errors in src/a.py"),
        "acme/b": failed("all is lost"),
        "acme/c": failed("3 errors in c.py"),
        "acme/d": failed("3 errors in c.py", FailureCode.GUARD_HIT),
    }
    job_id = await submit(client, *results)
    await dispatch(backends, job_id)
    for name, result in results.items():
        await finish(backends, job_id, name, result)
    return job_id


async def test_failures_are_grouped_by_code_and_message(client: httpx.AsyncClient, backends: Backends) -> None:
    page = (await client.get(f"/jobs/{await with_failures(client, backends)}/failures")).json()
    first = page["items"][0]
    assert (first["code"], first["message"], first["runs"]) == ("syntax_broken", "… errors in …", 2)
    assert first["repositories"] == ["acme/a", "acme/c"]
    assert first["example"]["repository"] == "acme/a"
    assert first["example"]["failure"]["message"] == "2 errors in src/a.py"
    assert sorted(group["repositories"] for group in page["items"][1:]) == [["acme/b"], ["acme/d"]]
    assert page["cursor"] is None


async def test_groups_come_in_pages(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await with_failures(client, backends)
    whole = (await client.get(f"/jobs/{job_id}/failures")).json()["items"]
    seen: list[object] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"/jobs/{job_id}/failures", params=parameters)).json()
        seen += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert len(seen) == 3


async def test_equal_diffs_of_succeeded_repositories_are_grouped(client: httpx.AsyncClient, backends: Backends) -> None:
    diffs = {
        "acme/a": patch("a.py", "old(x)", "new(x)"),
        "acme/b": patch("lib/b.py", "  old(y)", "  new(y)"),
        "acme/c": patch("c.py", "old(x)", "newer(x)"),
        "acme/d": patch("d.py", "old(x)", "new(x)"),
    }
    job_id = await submit(client, *diffs)
    await dispatch(backends, job_id)
    for name, diff in diffs.items():
        await backends.results.put_patch(job_id, name, diff)
        await finish(backends, job_id, name, failed("broken") if name == "acme/d" else succeeded(RunOutcome.PATCH))
    groups = (await client.get(f"/jobs/{job_id}/diffs/groups")).json()["items"]
    assert [(group["runs"], group["repositories"]) for group in groups] == [
        (2, ["acme/a", "acme/b"]),
        (1, ["acme/c"]),
    ]
    assert groups[0]["example"] == {"repository": "acme/a", "filesChanged": 1, "linesAdded": 1, "linesRemoved": 1}


async def test_a_job_that_is_not_there_has_no_groups(client: httpx.AsyncClient) -> None:
    for path in ("failures", "diffs/groups"):
        assert (await client.get(f"/jobs/job-none/{path}")).status_code == 404
