"""What became of each repository: pages, diffs as bytes, conversations, and reasons where there is nothing."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from cody_backends.open_backends import Backends
from cody_jobs.models import Failure, FailureCode, FileCounts, RunFailed, RunOutcome, RunResult
from cody_jobs.outcomes import CallUsage, ClaudeThread, Edit, Edited, FileRecord, LeftAlone, RunPatch, ThreadMessage
from tests.unit.cody_api.stories import dispatch, finish, submit, succeeded

DIFF = (
    b"diff --git a/caf\xe9.txt b/caf\xe9.txt\nnew file mode 100644\nindex 0000000..5f2a5a6\n--- /dev/null\n"
    b'+++ "b/caf\\351.txt"\n@@ -0,0 +1,2 @@\n+latin-1: \xe9\r\n+\xff\xfe\x00\n'
)


def patch(data: bytes) -> RunPatch:
    return RunPatch(
        base_commit="a" * 40,
        commit="b" * 40,
        branch="cody/job-1",
        message="Do it",
        patch=data,
        files_changed=1,
        lines_added=2,
        lines_removed=0,
    )


def record(job_id: str, repository: str, path: str, outcome: Edited | LeftAlone) -> FileRecord:
    usage = CallUsage(
        request_id="req_1",
        model="claude-x",
        input_tokens=10,
        output_tokens=5,
        cache_creation_input_tokens=1,
        cache_read_input_tokens=2,
        cost_microusd=1_500_000,
        latency_ms=20,
        at=datetime.now(UTC),
    )
    messages = (
        ThreadMessage(role="user", content=msgspec.Raw(b'"change it"')),
        ThreadMessage(role="assistant", content=msgspec.Raw(b'[{"type":"text","text":"done"}]')),
    )
    return FileRecord(
        job_id=job_id,
        repository=repository,
        path=path,
        question="c" * 64,
        outcome=outcome,
        calls=(usage,),
        thread=ClaudeThread(path=path, model="claude-x", messages=messages),
        reused_from=None,
    )


async def test_repositories_are_listed_in_the_order_of_the_request(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    names = [f"acme/r{number}" for number in (3, 1, 2)]
    job_id = await submit(client, *names)
    await dispatch(backends, job_id)
    await finish(backends, job_id, "acme/r1", succeeded(RunOutcome.NO_CHANGES, "nothing matched"))
    first = (await client.get(f"/jobs/{job_id}/repositories", params={"limit": 2})).json()
    second = (await client.get(f"/jobs/{job_id}/repositories", params={"cursor": first["cursor"]})).json()
    assert [run["repository"] for run in first["items"] + second["items"]] == names
    assert second["cursor"] is None
    filtered = (await client.get(f"/jobs/{job_id}/repositories", params={"status": "SUCCEEDED"})).json()["items"]
    assert [(run["repository"], run["outcome"], run["reason"]) for run in filtered] == [
        ("acme/r1", "no_changes", "nothing matched")
    ]
    assert "leaseOwner" not in filtered[0]


async def test_a_repository_is_shown_with_its_files_its_diff_in_numbers_and_its_cost(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    edited = Edited(edits=(Edit(old_text="a", new_text="b"),))
    await backends.results.record_file(record(job_id, "acme/web", "a.py", edited))
    await backends.results.record_file(record(job_id, "acme/web", "b.py", LeftAlone(reason="fine as it is")))
    await backends.results.put_patch(job_id, "acme/web", patch(DIFF))
    await finish(backends, job_id, "acme/web", succeeded(RunOutcome.PATCH))
    run = (await client.get(f"/jobs/{job_id}/repositories/acme/web", params={"limit": 1})).json()
    assert (run["patch"]["size"], run["patch"]["filesChanged"], run["files"]["examined"]) == (len(DIFF), 1, 3)
    assert (run["usage"]["calls"], run["costUsd"]) == (2, 3.0)
    page = run["fileResults"]
    assert [file["path"] for file in page["items"]] == ["a.py"]
    assert page["items"][0]["outcome"] == {"kind": "edited", "edits": [{"oldText": "a", "newText": "b"}]}
    rest = await client.get(f"/jobs/{job_id}/repositories/acme%2Fweb", params={"cursor": page["cursor"]})
    assert rest.json()["fileResults"]["items"][0]["outcome"]["reason"] == "fine as it is"
    job = (await client.get(f"/jobs/{job_id}")).json()
    assert (job["costUsd"], job["usage"]["costMicrousd"]) == (3.0, 3_000_000)


async def test_a_diff_comes_byte_for_byte_under_both_spellings(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    await backends.results.put_patch(job_id, "acme/web", patch(DIFF))
    await finish(backends, job_id, "acme/web", succeeded(RunOutcome.PATCH))
    for spelling in ("acme/web", "acme%2Fweb", "acme%2fweb"):
        answer = await client.get(f"/jobs/{job_id}/repositories/{spelling}/diff")
        assert answer.status_code == 200
        assert answer.content == DIFF
        assert answer.headers["content-type"] == "text/x-diff"
        assert answer.headers["cody-base-commit"] == "a" * 40


async def test_git_applies_what_the_api_returns(client: httpx.AsyncClient, backends: Backends, tmp_path: Path) -> None:
    def git(*arguments: str, given: bytes | None = None) -> bytes:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(command, cwd=tmp_path, input=given, check=True, capture_output=True).stdout

    git("init", "-q")
    file = tmp_path / "old.txt"
    file.write_bytes(b"one\r\n\xe9\n")
    git("add", ".")
    git("commit", "-qm", "first")
    file.write_bytes(b"two\r\n\xe9\n\x00")
    diff = git("diff", "--binary")
    git("checkout", "-q", ".")
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    await backends.results.put_patch(job_id, "acme/web", patch(diff))
    await finish(backends, job_id, "acme/web", succeeded(RunOutcome.PATCH))
    answer = await client.get(f"/jobs/{job_id}/repositories/acme/web/diff")
    git("apply", "--index", "-", given=answer.content)
    assert file.read_bytes() == b"two\r\n\xe9\n\x00"


FAILURE = Failure(code=FailureCode.REPOSITORY_EMPTY, message="it has no commit", retryable=False)


@pytest.mark.parametrize(
    ("result", "code", "words"),
    [
        (None, "diff_not_ready", "DISPATCHED"),
        (succeeded(RunOutcome.NO_CHANGES, "all is modern already"), "diff_no_changes", "all is modern already"),
        (succeeded(RunOutcome.ESTIMATED, "would ask about 2 of 9 files"), "diff_dry_run", "would ask about 2 of 9"),
        (RunFailed(failure=FAILURE, files=FileCounts()), "diff_run_failed", "repository_empty: it has no commit"),
    ],
)
async def test_without_a_diff_the_answer_says_why(
    client: httpx.AsyncClient, backends: Backends, result: RunResult | None, code: str, words: str
) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    if result is not None:
        await finish(backends, job_id, "acme/web", result)
    answer = await client.get(f"/jobs/{job_id}/repositories/acme/web/diff")
    assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert words in answer.json()["detail"]


async def test_a_failed_run_shows_its_partial_diff_only_when_asked(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    await backends.results.put_patch(job_id, "acme/web", patch(DIFF))
    await finish(backends, job_id, "acme/web", RunFailed(failure=FAILURE, files=FileCounts()))
    address = f"/jobs/{job_id}/repositories/acme/web/diff"
    assert (await client.get(address)).json()["code"] == "diff_run_failed"
    assert (await client.get(address, params={"partial": "true"})).content == DIFF


async def test_a_failed_run_without_any_diff_says_why_even_when_asked_for_a_part(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    await finish(backends, job_id, "acme/web", RunFailed(failure=FAILURE, files=FileCounts()))
    answer = await client.get(f"/jobs/{job_id}/repositories/acme/web/diff", params={"partial": "true"})
    assert (answer.status_code, answer.json()["code"]) == (404, "diff_run_failed")


async def test_a_cancelled_run_has_no_diff_and_says_so(client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/web")
    await client.post(f"/jobs/{job_id}/cancel")
    answer = await client.get(f"/jobs/{job_id}/repositories/acme/web/diff")
    assert (answer.status_code, answer.json()["code"]) == (404, "diff_run_cancelled")


async def test_conversations_come_as_they_went_over_the_wire(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client, "acme/web")
    for path in ("b.py", "a.py"):
        await backends.results.record_file(record(job_id, "acme/web", path, LeftAlone(reason="fine")))
    address = f"/jobs/{job_id}/repositories/acme%2Fweb/claude-thread"
    page = (await client.get(address, params={"limit": 1})).json()
    (thread,) = page["items"]
    assert (thread["path"], thread["model"]) == ("a.py", "claude-x")
    assert thread["messages"][0] == {"role": "user", "content": "change it"}
    assert thread["messages"][1]["content"] == [{"type": "text", "text": "done"}]
    rest = (await client.get(address, params={"cursor": page["cursor"]})).json()
    assert ([thread["path"] for thread in rest["items"]], rest["cursor"]) == (["b.py"], None)


async def test_a_repository_that_the_job_has_not_is_not_found(client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/web")
    for name in ("acme/none", "acme/%2e%2e", "acme/%00", "acme/a%20b", "ACME/web"):
        for rest in ("", "/diff", "/claude-thread"):
            answer = await client.get(f"/jobs/{job_id}/repositories/{name}{rest}")
            assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), name


async def test_a_trace_is_served_as_a_tree_even_when_there_is_none(client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/web")
    trace = (await client.get(f"/jobs/{job_id}/trace")).json()
    assert (trace["jobId"], trace["spans"], trace["truncated"]) == (job_id, [], False)
