"""Commands that ask the API: what they print for people and for programs, and how they fail."""

import msgspec
import pytest

from tests.unit.cody_cli import samples
from tests.unit.cody_cli.fake_api import Answer, FakeApi, as_json, event_stream, problem
from tests.unit.cody_cli.program import CodyBatch

PATCH = b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\xff\r\n+b\r\n"
RUN = "/jobs/job-1/repositories/acme/web"


async def test_list_shows_jobs_and_where_the_next_page_is(client: CodyBatch, api: FakeApi) -> None:
    api.answer("GET /jobs", as_json(samples.page(samples.job(status="RUNNING"), cursor="more")))
    shown = await client.run("list", "--status", "running")
    assert shown.code == 0
    assert "job-1  running" in shown.out
    assert "2/2" in shown.out
    assert "--cursor more" in shown.err
    assert api.requests[0].query == "status=RUNNING&limit=20"
    assert api.requests[0].headers["authorization"] == "Bearer cody_a-token"


async def test_json_is_the_answer_of_the_api_and_nothing_else(client: CodyBatch, api: FakeApi) -> None:
    page = samples.page(samples.job(newField=1), cursor="more")
    api.answer("GET /jobs", as_json(page))
    shown = await client.run("list", "--json")
    assert shown.json == page
    assert shown.err == ""


async def test_show_joins_the_pages_of_repositories(client: CodyBatch, api: FakeApi) -> None:
    failed = samples.run(
        "acme/b", status="FAILED", outcome=None, failure=samples.failure("files_failed", "2 files failed")
    )
    api.answer("GET /jobs/job-1", as_json(samples.job()))
    api.answer(
        "GET /jobs/job-1/repositories",
        as_json(samples.page(samples.run("acme/a"), cursor="2")),
        as_json(samples.page(failed)),
        as_json(samples.page(samples.run("acme/a"), cursor="2")),
        as_json(samples.page(failed)),
    )
    for_programs = await client.run("show", "job-1", "--json")
    for_people = await client.run("show", "job-1")
    assert for_programs.json == {"job": samples.job(), "repositories": [samples.run("acme/a"), failed]}
    assert "$0.0123, 2 calls, 1,000 tokens in, 200 out" in for_people.out
    assert "acme/a      patch" in for_people.out
    assert "files_failed: 2 files failed" in for_people.out


async def test_show_lists_all_files_of_a_repository(client: CodyBatch, api: FakeApi) -> None:
    left = samples.file_result("b.py", {"kind": "unchanged", "reason": "It is fine"})
    api.answer(
        f"GET {RUN}",
        as_json(samples.run_detail(fileResults=samples.page(samples.file_result("a.py"), cursor="2"))),
        as_json(samples.run_detail(fileResults=samples.page(left))),
    )
    shown = await client.run("show", "job-1", "acme/web")
    assert "a.py  edited     $0.0001  1 edit" in shown.out
    assert "b.py  unchanged  $0.0001  It is fine" in shown.out
    assert "1 file skipped: binary" in shown.out


async def test_diff_in_a_pipe_is_the_patch_byte_for_byte(client: CodyBatch, api: FakeApi) -> None:
    api.answer(f"GET {RUN}/diff", Answer(body=PATCH, kind="text/x-diff"))
    assert (await client.run("diff", "job-1", "acme/web")).raw == PATCH


async def test_the_partial_diff_of_a_failed_repository_is_asked_for_by_name(client: CodyBatch, api: FakeApi) -> None:
    api.answer(f"GET {RUN}/diff", Answer(body=PATCH, kind="text/x-diff"))
    assert (await client.run("diff", "job-1", "acme/web", "--partial")).raw == PATCH
    assert [request.query for request in api.requests] == ["partial=true"]
    refused = await client.run("diff", "job-1", "--partial")
    assert refused.code == 2
    assert "cody-batch diff JOB OWNER/NAME --partial" in refused.err


async def test_diffs_of_many_repositories_never_run_together(client: CodyBatch, api: FakeApi) -> None:
    runs = [samples.run("acme/a"), samples.run("acme/b"), samples.run("acme/c", outcome="no_changes")]
    api.answer("GET /jobs/job-1/repositories", as_json(samples.page(*runs)))
    for name in ("a", "b"):
        api.answer(f"GET /jobs/job-1/repositories/acme/{name}/diff", Answer(body=PATCH))
    piped = await client.run("diff", "job-1")
    written = await client.run("diff", "job-1", "--out", "there")
    assert piped.code == 2
    assert piped.raw == b""
    assert "--out FOLDER" in piped.err
    assert written.code == 0
    assert (client.folder / "there" / "acme__a.patch").read_bytes() == PATCH
    assert sorted(path.name for path in (client.folder / "there").iterdir()) == ["acme__a.patch", "acme__b.patch"]


async def test_why_there_is_no_diff_is_said(client: CodyBatch, api: FakeApi) -> None:
    api.answer(f"GET {RUN}/diff", problem(404, "diff_no_changes", "acme/web needed no changes: all is well"))
    shown = await client.run("diff", "job-1", "acme/web")
    assert shown.code == 1
    assert "acme/web needed no changes: all is well" in shown.err


async def test_thread_shows_what_was_said(client: CodyBatch, api: FakeApi) -> None:
    tool = {"type": "tool_use", "id": "t", "name": "edit_file", "input": {"path": "a.py"}}
    messages = [
        {"role": "user", "content": "Change [bold]this[/bold]"},
        {"role": "assistant", "content": [{"type": "text", "text": "Of course"}, tool]},
    ]
    thread = {"path": "a.py", "model": "claude-x", "messages": messages}
    api.answer(f"GET {RUN}/claude-thread", as_json(samples.page(thread)))
    shown = await client.run("thread", "job-1", "acme/web")
    other = await client.run("thread", "job-1", "acme/web", "--path", "b.py")
    assert "a.py (claude-x)" in shown.out
    assert "Change [bold]this[/bold]" in shown.out
    assert "Of course" in shown.out
    assert "[edit_file]" in shown.out
    assert other.code == 1


async def test_events_are_taken_up_where_the_stream_broke_off(client: CodyBatch, api: FakeApi) -> None:
    created = samples.event(1, "job_created", repositories=1)
    started = samples.event(2, "run_started", repository="acme/web", attempt=1)
    ended = samples.event(3, "job_finished", status="SUCCEEDED", failure=None)
    address = "GET /jobs/job-1/events"
    api.answer(address, event_stream(created, started), event_stream(), event_stream(ended, end="SUCCEEDED"))
    shown = await client.run("events", "job-1", "--json")
    lines = [msgspec.json.decode(line) for line in shown.raw.splitlines()]
    assert shown.code == 0
    assert [line["id"] for line in lines] == [1, 2, 3]
    assert [request.headers.get("last-event-id") for request in api.requests] == [None, "2", "2"]


async def test_cancel_and_retry_tell_the_new_state(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs/job-1/cancel", as_json(samples.job(status="CANCELLED"), 202))
    api.answer("POST /jobs/job-1/retry", problem(409, "illegal_transition", "the job has not ended"))
    cancelled = await client.run("cancel", "job-1", "--json")
    retried = await client.run("retry", "job-1")
    assert cancelled.json["status"] == "CANCELLED"
    assert (retried.code, retried.err) == (1, "error: the job has not ended\n")


async def test_trace_shows_steps_and_the_tree(client: CodyBatch, api: FakeApi) -> None:
    child = {"name": "edit_file", "service": "worker", "startedAt": "2026-01-01T10:00:01Z", "durationUs": 1_000_000}
    more = {"status": "ok", "statusMessage": None, "attributes": {"cody.file.path": "a.py"}}
    root = {**child, **more, "name": "run_shard", "startedAt": samples.AT, "attributes": {}}
    step = {"service": "worker", "name": "edit_file", "count": 1, "failed": 0, "totalUs": 1_000_000}
    steps = [
        {**step, "longestUs": 1_000_000, "wallUs": 1_000_000},
        {**step, "name": "SELECT", "longestUs": 2_000, "wallUs": 2_000, "totalUs": 2_000},
    ]
    trace = {"jobId": "job-1", "startedAt": samples.AT, "wallUs": 2_000_000, "truncated": False, "steps": steps}
    api.answer("GET /jobs/job-1/trace", as_json({**trace, "spans": [{**root, "children": [{**child, **more}]}]}))
    shown = await client.run("trace", "job-1")
    assert "edit_file  worker   1      1.0 s" in shown.out
    assert "database   worker" in shown.out
    assert "  edit_file a.py" in shown.out
    assert "2.0 s from the first to the last" in shown.out


async def test_submit_sends_a_job_file_with_options_on_top(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(), 202))
    (client.folder / "job.json").write_text(
        '{"name": "N", "prompt": "old", "repositories": ["acme/web"], "match": "x"}'
    )
    shown = await client.run("submit", "job.json", "--prompt", "new", "--include", "*.py", "--idempotency-key", "k")
    assert (shown.code, shown.out) == (0, "job-1\n")
    assert msgspec.json.decode(api.requests[0].body) == {
        "name": "N",
        "type": "code-pattern-update",
        "prompt": "new",
        "repositories": ["acme/web"],
        "include": ["*.py"],
        "match": "x",
    }
    assert api.requests[0].headers["idempotency-key"] == "k"


async def test_what_a_job_may_cost_is_sent_and_shown(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(), 202))
    await client.run("submit", "--repository", "a/b", "--prompt", "p", "--max-cost", "5", "--max-cost-per-file", "0.02")
    sent = msgspec.json.decode(api.requests[0].body)
    assert (sent["maxCostUsd"], sent["maxCostPerFileUsd"], "maxCostPerRepositoryUsd" in sent) == (5, 0.02, False)
    api.answer("GET /jobs/job-1", as_json(samples.job(maxCostUsd=5.0, maxCostPerFileUsd=0.02)))
    api.answer("GET /jobs/job-1/repositories", as_json(samples.page()))
    assert "may cost $5.00 in all, $0.0200 a file" in (await client.run("show", "job-1")).out


async def test_steps_are_sent_in_their_order(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(), 202))
    words = ("--verify", "python -m pytest -q", "--codemod", "sh -c 'echo \"a b\"'", "--judge", "advises")
    await client.run("submit", "--repository", "a/b", "--prompt", "p", *words, "--allow-path", "*.lock")
    sent = msgspec.json.decode(api.requests[0].body)
    assert sent["steps"] == [
        {"kind": "codemod", "argv": ["sh", "-c", 'echo "a b"']},
        {"kind": "edit"},
        {"kind": "verify", "argv": ["python", "-m", "pytest", "-q"]},
    ]
    assert (sent["judge"], sent["allowPaths"]) == ("advises", ["*.lock"])


async def test_a_command_that_cannot_be_split_is_named(client: CodyBatch) -> None:
    shown = await client.run("submit", "--repository", "a/b", "--prompt", "p", "--codemod", "sed 's/a/b/")
    assert shown.code == 2
    assert "--codemod" in shown.err
    assert "No closing quotation" in shown.err


async def test_every_field_that_is_wrong_is_shown(client: CodyBatch, api: FakeApi) -> None:
    fields = [
        {"field": "name", "message": "is empty", "code": "x"},
        {"field": "match", "message": "is bad", "code": "x"},
    ]
    api.answer("POST /jobs", problem(422, "invalid_request", "name: is empty (and 1 more)", errors=fields))
    shown = await client.run("submit", "--repository", "a/b", "--prompt", "p", "--name", "")
    assert shown.code == 1
    assert "name: is empty (and 1 more)" in shown.err
    assert "    match: is bad" in shown.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"prompt": "p", "repositories": "a/b"}', "Expected `array`, got `str` - at `$.repositories`"),
        ('{"prompt": "p", "repository": []}', "contains unknown field `repository`"),
        ('{"type": "x"}', "Invalid enum value 'x' - at `$.type`"),
        ("{", "Input data was truncated"),
        ('{"prompt": "p"}', "no repositories were named"),
        ('{"repositories": ["a/b"]}', "there is no prompt"),
    ],
)
async def test_a_malformed_job_file_is_refused_with_the_place(
    client: CodyBatch, api: FakeApi, content: str, said: str
) -> None:
    shown = await client.run("submit", "-", stdin=content.encode())
    assert shown.code == 2
    assert said in shown.err
    assert api.requests == []


async def test_a_refused_token_says_where_tokens_come_from(client: CodyBatch, api: FakeApi) -> None:
    api.answer("GET /jobs", problem(401, "token_refused", "This token is unknown or was revoked."))
    shown = await client.run("list")
    assert shown.code == 1
    assert "This token is unknown or was revoked." in shown.err
    assert "CODY_API_TOKEN" in shown.err
    assert "cody_a-token" not in shown.err


async def test_a_server_that_is_no_cody_batch_is_named(client: CodyBatch, api: FakeApi) -> None:
    api.answer("GET /jobs", Answer(body=b"<html>", kind="text/html"))
    shown = await client.run("list")
    assert shown.code == 1
    assert "is that a Cody Batch API?" in shown.err


async def test_nothing_that_answers_says_how_to_start_it(cody: CodyBatch) -> None:
    not_running = await cody.run("list")
    refused = await cody.run("list", environment={"CODY_API_URL": "http://127.0.0.1:9"})
    wrong = await cody.run("list", environment={"CODY_API_URL": "localhost:8080"})
    for shown in (not_running, refused):
        assert shown.code == 1
        assert "start it with `cody-batch up`, or set CODY_API_URL" in shown.err
    assert "nothing answers at http://127.0.0.1:9" in refused.err
    assert wrong.code == 2


async def test_the_token_of_this_machine_goes_to_no_other_api(client: CodyBatch, api: FakeApi) -> None:
    data = client.folder / "data"
    data.mkdir()
    (data / "token").write_text("cody_local")
    (data / "api.json").write_text('{"url": "http://127.0.0.1:1", "pid": 1}')
    api.answer("GET /jobs", as_json(samples.page()))
    await client.run("list", environment={"CODY_API_TOKEN": ""})
    assert "authorization" not in api.requests[0].headers
    (data / "api.json").write_text(f'{{"url": "{api.url}", "pid": 1}}')
    await client.run("list", environment={"CODY_API_TOKEN": "", "CODY_API_URL": ""})
    assert api.requests[1].headers["authorization"] == "Bearer cody_local"


async def test_a_trace_begins_at_the_command_where_there_is_a_collector(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(), 202))
    api.answer("POST /v1/traces", Answer(kind="application/x-protobuf"))
    api.answer("POST /v1/metrics", Answer(kind="application/x-protobuf"))
    arguments = ("submit", "--repository", "a/b", "--prompt", "p", "--json")
    plain = await client.run(*arguments)
    traced = await client.run(*arguments, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": api.url})
    assert (plain.code, traced.code) == (0, 0), traced.err
    first, second = (request for request in api.requests if request.path == "/jobs")
    (exported,) = (request for request in api.requests if request.path == "/v1/traces")
    assert "traceparent" not in first.headers
    trace_id = second.headers["traceparent"].split("-")[1]
    assert bytes.fromhex(trace_id) in exported.body
