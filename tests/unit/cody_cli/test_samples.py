"""Look at a sample, tune it, approve it; run again what you name; see what many repositories have in common."""

import msgspec

from tests.unit.cody_cli import samples
from tests.unit.cody_cli.fake_api import FakeApi, as_json, problem
from tests.unit.cody_cli.program import CodyBatch

WAITING = {
    "status": "AWAITING_APPROVAL",
    "sample": {"size": 1, "approved": False, "chosen": [{"repository": "acme/web", "why": "the largest; go"}]},
    "formerPrompts": [{"prompt": "old", "until": samples.AT}],
}


async def test_show_explains_the_sample_and_what_can_be_done(client: CodyBatch, api: FakeApi) -> None:
    api.answer("GET /jobs/job-1", as_json(samples.job(**WAITING)))
    api.answer("GET /jobs/job-1/repositories", as_json(samples.page(samples.run())))
    shown = await client.run("show", "job-1")
    assert "sample of 1, not approved yet, the prompt amended 1 time" in shown.out
    assert "acme/web: the largest; go" in shown.out
    assert "cody-batch approve job-1" in shown.out


async def test_approve_sends_what_was_said(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs/job-1/approve", as_json(samples.job(status="PENDING"), 202))
    plain = await client.run("approve", "job-1")
    tuned = await client.run("approve", "job-1", "--prompt", "better", "--again", "--json")
    assert "job-1 is PENDING" in plain.err
    assert tuned.json["status"] == "PENDING"
    assert api.requests[0].body == b""
    assert msgspec.json.decode(api.requests[1].body) == {"prompt": "better", "again": True}


async def test_retry_names_what_runs_again_and_tells_how_many(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs/job-1/retry", as_json(samples.job(status="PENDING", requeued=2), 202))
    (client.folder / "prompt.md").write_text("better")
    options = ("--code", "syntax_broken", "--outcome", "no_changes", "--repository", "acme/*")
    shown = await client.run("retry", "job-1", *options, "--prompt-file", "prompt.md")
    assert "2 repositories again" in shown.err
    assert msgspec.json.decode(api.requests[0].body) == {
        "codes": ["syntax_broken"],
        "outcomes": ["no_changes"],
        "repositories": ["acme/*"],
        "prompt": "better",
    }


async def test_a_retry_of_nothing_says_so(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs/job-1/retry", problem(409, "illegal_transition", "no run of this job is meant"))
    shown = await client.run("retry", "job-1", "--code", "guard_hit")
    assert (shown.code, shown.err) == (1, "error: no run of this job is meant\n")


async def test_groups_shows_failures_and_diffs_that_are_alike(client: CodyBatch, api: FakeApi) -> None:
    names = [f"acme/r{number}" for number in range(5)]
    failure = {"id": "f", "code": "syntax_broken", "message": "… errors", "retryable": False, "runs": 5}
    diff = {"id": "d", "runs": 2, "repositories": ["acme/a", "acme/b"]}
    example = {"repository": "acme/a", "filesChanged": 1, "linesAdded": 2, "linesRemoved": 1}
    failures, diffs = {**failure, "repositories": names}, {**diff, "example": example}
    api.answer("GET /jobs/job-1/failures", as_json(samples.page(failures)))
    api.answer("GET /jobs/job-1/diffs/groups", as_json(samples.page(diffs)))
    for_people = await client.run("groups", "job-1")
    for_programs = await client.run("groups", "job-1", "--json")
    assert "acme/r0, acme/r1, acme/r2 and 2 more" in for_people.out
    assert "1 file +2 -1" in for_people.out
    assert for_programs.json == {"failures": [failures], "diffs": [diffs]}


async def test_a_sample_is_submitted_and_not_run(client: CodyBatch, api: FakeApi) -> None:
    api.answer("POST /jobs", as_json(samples.job(), 202))
    submitted = await client.run("submit", "--repository", "a/b", "--prompt", "p", "--sample", "3")
    run = await client.run("run", "--repo", ".", "--prompt", "p", "--sample", "3")
    assert submitted.code == 0
    assert msgspec.json.decode(api.requests[0].body)["sample"] == 3
    assert run.code == 2
    assert "cody-batch submit --sample" in run.err
