"""Operators' commands, on a real database and with no API at all."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from cody_backends.open_backends import Backends, open_backends
from cody_backends.settings import BackendSettings
from cody_jobs.events import JobCreated
from cody_jobs.messages import JOBS_QUEUE, JobSubmitted, decode_message
from cody_jobs.models import JobSpec, JobStatus, JobType, NewJob
from tests.contract.results import question, record
from tests.unit.cody_cli.program import CodyBatch

MOMENT = timedelta(seconds=30)


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> CodyBatch:
    return CodyBatch(tmp_path, {"DATABASE_URL": database_url})


@pytest.fixture
async def stores(backend_settings: BackendSettings) -> AsyncGenerator[Backends]:
    async with open_backends(backend_settings) as opened:
        yield opened


async def _make_job(stores: Backends, job_id: str) -> None:
    spec = JobSpec(name="n", type=JobType.CODE_PATTERN_UPDATE, prompt="p")
    job = NewJob(id=job_id, spec=spec, fingerprint="f", submitted_by="ada", traceparent=None)
    await stores.jobs.create_job(job, ["acme/web"])
    await stores.results.append_events(job_id, [JobCreated(repositories=1)])


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(operator: CodyBatch, stores: Backends) -> None:
    made = await operator.run("ops", "token", "create", "--name", "ci", "--role", "viewer")
    again = await operator.run("ops", "token", "create", "--name", "ci")
    secret = made.out.strip()
    found = await stores.tokens.find_token(secret)
    assert found is not None
    assert (found.name, found.role) == ("ci", "viewer")
    assert again.code == 1
    listed = await operator.run("ops", "token", "list", "--json")
    assert [(token["name"], token["role"], token["revokedAt"]) for token in listed.json] == [("ci", "viewer", None)]
    assert secret not in listed.out
    assert (await operator.run("ops", "token", "revoke", "ci")).code == 0
    assert await stores.tokens.find_token(secret) is None
    assert (await operator.run("ops", "token", "revoke", "nobody")).code == 1


async def test_requeue_sets_a_stuck_job_back_and_sends_its_message(operator: CodyBatch, stores: Backends) -> None:
    await _make_job(stores, "job-stuck")
    await stores.jobs.stop_job("job-stuck", status=JobStatus.CANCELLED, failure=None)
    done = await operator.run("ops", "requeue", "job-stuck", "--json")
    unknown = await operator.run("ops", "requeue", "job-unknown")
    (message,) = await stores.queue.receive(JOBS_QUEUE, limit=10, wait=MOMENT, visibility=MOMENT)
    assert done.json == {"id": "job-stuck", "status": "PENDING"}
    assert decode_message(message.body) == JobSubmitted(job_id="job-stuck")
    assert (await stores.jobs.get_job("job-stuck")).status is JobStatus.PENDING
    assert unknown.code == 1
    assert "job-unknown" in unknown.err


async def test_requeue_does_what_its_help_says(operator: CodyBatch, stores: Backends) -> None:
    said = " ".join((await operator.run("ops", "requeue", "--help")).out.split())
    await _make_job(stores, "job-over")
    await stores.jobs.stop_job("job-over", status=JobStatus.CANCELLED, failure=None)
    await operator.run("ops", "requeue", "job-over")
    attempt = await stores.jobs.begin_attempt("job-over", repositories_per_shard=1)
    assert attempt is not None
    assert "In a job where all have ended, the failed and cancelled ones run again" in said
    assert "stay as they are" not in said


async def test_dead_letters_are_listed_with_their_reason_and_sent_again(operator: CodyBatch, stores: Backends) -> None:
    assert "There are no dead letters." in (await operator.run("ops", "dead-letters")).err
    await stores.queue.send(JOBS_QUEUE, b"not ours")
    (message,) = await stores.queue.receive(JOBS_QUEUE, limit=1, wait=MOMENT, visibility=MOMENT)
    await stores.queue.bury(JOBS_QUEUE, message, reason="malformed")
    (letter,) = (await operator.run("ops", "dead-letters", "list", "--json")).json
    assert (letter["reason"], letter["body"]) == ("malformed", "not ours")
    assert "malformed" in (await operator.run("ops", "dead-letters")).out
    assert (await operator.run("ops", "dead-letters", "redrive", "--json")).json == {"redriven": 1}
    assert (await stores.queue.depth(JOBS_QUEUE)).ready == 1


async def test_prune_deletes_ended_jobs_only_and_only_after_a_yes(operator: CodyBatch, stores: Backends) -> None:
    for job_id in ("job-old", "job-open"):
        await _make_job(stores, job_id)
    await stores.jobs.stop_job("job-old", status=JobStatus.CANCELLED, failure=None)
    refused = await operator.run("ops", "prune", "--older-than", "0m", stdin=b"n\n")
    kept = await operator.run("ops", "prune", "--older-than", "30d", "--yes", "--json")
    wrong = await operator.run("ops", "prune", "--older-than", "soon", "--yes")
    assert refused.code != 0
    assert kept.json == {"deleted": [], "completed": [], "answers": 0}
    assert wrong.code == 2
    pruned = await operator.run("ops", "prune", "--older-than", "0m", "--yes", "--json")
    assert pruned.json == {"deleted": ["job-old"], "completed": [], "answers": 0}
    assert await stores.results.read_events("job-old", after=0, limit=10) == []
    assert len(await stores.results.read_events("job-open", after=0, limit=10)) == 1


async def test_prune_completes_one_that_died_on_the_way(operator: CodyBatch, stores: Backends) -> None:
    for job_id in ("job-half", "job-open"):
        await _make_job(stores, job_id)
    await stores.jobs.stop_job("job-half", status=JobStatus.CANCELLED, failure=None)
    assert await stores.jobs.prune(ended_before=timedelta(0)) == ["job-half"]

    pruned = await operator.run("ops", "prune", "--older-than", "30d", "--yes", "--json")

    assert pruned.json == {"deleted": [], "completed": ["job-half"], "answers": 0}
    assert await stores.results.list_job_ids(after=None, limit=10) == ["job-open"]


async def test_prune_forgets_answers_only_when_asked_and_says_what_that_costs(
    operator: CodyBatch, stores: Backends
) -> None:
    await stores.results.record_file(record("a.py", job_id="job-gone"))
    nothing = await operator.run("ops", "prune", "--yes")
    await operator.run("ops", "prune", "--older-than", "0m", "--yes")
    assert nothing.code == 2
    assert "--answers-older-than" in nothing.err
    assert len(await stores.results.find_outcomes([question("a.py")])) == 1

    refused = await operator.run("ops", "prune", "--answers-older-than", "0m", stdin=b"n\n")
    assert refused.code != 0
    assert "Whoever asks these questions again pays for them again" in refused.err
    young = await operator.run("ops", "prune", "--answers-older-than", "90d", "--yes", "--json")
    assert young.json == {"deleted": [], "completed": [], "answers": 0}
    pruned = await operator.run("ops", "prune", "--answers-older-than", "0m", "--yes")
    assert "1 answer(s) forgotten." in pruned.err
    assert await stores.results.find_outcomes([question("a.py")]) == {}


async def test_a_wrong_or_unreachable_database_is_said(cody: CodyBatch) -> None:
    unreachable = await cody.run("ops", "token", "list", environment={"DATABASE_URL": "postgresql://127.0.0.1:9/x"})
    wrong = await cody.run("ops", "token", "list", environment={"CODY_BACKEND": "papyrus"})
    assert unreachable.code == 1
    assert "DATABASE_URL" in unreachable.err
    assert wrong.code == 2
    assert "CODY_BACKEND" in wrong.err
