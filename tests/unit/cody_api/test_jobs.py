"""Jobs are accepted once, listed in pages, cancelled and retried; queue and events hear of it."""

import asyncio
from datetime import timedelta

import httpx
from litestar import Litestar
from msgspec.structs import replace

from cody_api.create_app import create_app
from cody_api.settings import ApiSettings
from cody_backends.open_backends import Backends
from cody_jobs.errors import Unavailable
from cody_jobs.events import JobCreated, JobFinished, JobRetried
from cody_jobs.identity import job_id_for_key
from cody_jobs.messages import JOBS_QUEUE, JobStopped, JobSubmitted, Message, decode_message
from cody_jobs.models import Failure, FailureCode, FileCounts, JobStatus, RunFailed, RunOutcome
from cody_jobs.ports import Role
from cody_jobs.ports.work_queue import ReceivedMessage
from tests.unit.cody_api.conftest import ClientFor
from tests.unit.cody_api.stories import dispatch, finish, job_body, submit, succeeded


async def received(backends: Backends) -> list[ReceivedMessage]:
    visibility = timedelta(minutes=5)
    return await backends.queue.receive(JOBS_QUEUE, limit=10, wait=timedelta(0), visibility=visibility)


async def messages(backends: Backends) -> list[Message]:
    return [decode_message(message.body) for message in await received(backends)]


async def event_kinds(backends: Backends, job_id: str) -> list[type]:
    return [type(event.body) for event in await backends.results.read_events(job_id, after=0, limit=100)]


async def test_a_job_is_accepted_queued_and_told_of(client: httpx.AsyncClient, backends: Backends) -> None:
    answer = await client.post("/jobs", json=job_body(match="x", include=["*.py"]))
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == job["links"]["self"] == f"/jobs/{job['id']}"
    assert (job["status"], job["repositories"], job["counts"]["queued"]) == ("PENDING", 2, 2)
    assert (job["submittedBy"], job["match"], job["include"]) == ("ci", "x", ["*.py"])
    assert await messages(backends) == [JobSubmitted(job_id=job["id"])]
    assert await event_kinds(backends, job["id"]) == [JobCreated]
    stored = await backends.jobs.get_job(job["id"])
    assert (stored.spec.prompt, stored.status) == ("do it", JobStatus.PENDING)
    assert (await client.get(answer.headers["location"])).json() == job


async def test_the_same_key_and_body_lead_to_the_same_job(client: httpx.AsyncClient, backends: Backends) -> None:
    headers = {"Idempotency-Key": "order-66"}
    first = await client.post("/jobs", json=job_body(), headers=headers)
    second = await client.post("/jobs", json=job_body(createPullRequests=False), headers=headers)
    assert "idempotency-replayed" not in first.headers
    assert (second.status_code, second.headers["idempotency-replayed"]) == (202, "true")
    assert second.json()["id"] == first.json()["id"] == job_id_for_key("ci", "order-66")
    assert await event_kinds(backends, first.json()["id"]) == [JobCreated]
    assert len((await client.get("/jobs")).json()["items"]) == 1


async def test_the_same_key_with_another_body_is_a_conflict(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-66"}
    await client.post("/jobs", json=job_body(), headers=headers)
    answer = await client.post("/jobs", json=job_body(prompt="another"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")
    assert "another body" in answer.json()["detail"]


async def test_the_same_key_of_another_token_is_another_job(
    client: httpx.AsyncClient, app: Litestar, backends: Backends, client_for: ClientFor
) -> None:
    other = client_for(app, await backends.tokens.create_token("other", Role.SUBMITTER))
    headers = {"Idempotency-Key": "order-66"}
    answers = [await each.post("/jobs", json=job_body(), headers=headers) for each in (client, other)]
    assert len({answer.json()["id"] for answer in answers}) == 2


async def test_requests_with_the_same_key_at_once_make_one_job_and_tell_of_it_once(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    sending = [client.post("/jobs", json=job_body(), headers={"Idempotency-Key": "k"}) for _ in range(8)]
    answers = await asyncio.gather(*sending)
    assert {answer.status_code for answer in answers} == {202}
    (job_id,) = {answer.json()["id"] for answer in answers}
    assert await event_kinds(backends, job_id) == [JobCreated]
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


async def test_a_job_whose_first_request_died_half_way_is_finished_by_the_second(
    client: httpx.AsyncClient, backends: Backends, settings: ApiSettings, client_for: ClientFor
) -> None:
    class Died(Exception):
        pass

    class DiesBeforeTheEvent:
        async def read_events(self, *_: object, **__: object) -> None:
            raise Died

    headers = {"Idempotency-Key": "k"}
    token = client.headers["authorization"].removeprefix("Bearer ")
    dying = client_for(create_app(replace(backends, results=DiesBeforeTheEvent()), settings), token)
    assert (await dying.post("/jobs", json=job_body(), headers=headers)).status_code == 500
    assert await messages(backends) == []
    answer = await client.post("/jobs", json=job_body(), headers=headers)
    assert (answer.status_code, answer.headers["idempotency-replayed"]) == (202, "true")
    assert await messages(backends) == [JobSubmitted(job_id=answer.json()["id"])]
    assert await event_kinds(backends, answer.json()["id"]) == [JobCreated]


async def test_a_job_is_accepted_while_the_queue_is_away(
    client: httpx.AsyncClient, backends: Backends, settings: ApiSettings, client_for: ClientFor
) -> None:
    class Away:
        async def send(self, *_: object, **__: object) -> str:
            raise Unavailable("queue", "connection refused")

    token = client.headers["authorization"].removeprefix("Bearer ")
    without_queue = client_for(create_app(replace(backends, queue=Away()), settings), token)
    job_id = await submit(without_queue)
    assert (await client.get(f"/jobs/{job_id}")).json()["status"] == "PENDING"
    assert await backends.jobs.list_jobs_to_dispatch(pending_for=timedelta(0), limit=5) == [job_id]


async def test_a_key_that_is_too_long_or_not_visible_is_refused(client: httpx.AsyncClient) -> None:
    for key in (b"x" * 256, b"with space", b"", "caf\u00e9".encode()):
        answer = await client.post("/jobs", json=job_body(), headers=[(b"Idempotency-Key", key)])
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_header"), key
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_jobs_are_listed_newest_first_in_pages_and_by_status(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    ids = [await submit(client, f"acme/r{number}") for number in range(5)]
    await backends.jobs.stop_job(ids[1], status=JobStatus.CANCELLED, failure=None)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await client.get("/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
        assert len(page["items"]) == 2
    assert seen == ids[::-1]
    cancelled = (await client.get("/jobs", params={"status": "CANCELLED"})).json()["items"]
    assert [(job["id"], job["counts"]["cancelled"]) for job in cancelled] == [(ids[1], 1)]
    assert "prompt" not in cancelled[0]


async def test_cancelling_ends_the_job_and_tells_everybody_once(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client)
    await dispatch(backends, job_id)
    await finish(backends, job_id, "acme/web", succeeded(RunOutcome.PATCH))
    first = await client.post(f"/jobs/{job_id}/cancel")
    second = await client.post(f"/jobs/{job_id}/cancel")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["status"] == "CANCELLED"
    assert (first.json()["counts"]["cancelled"], first.json()["counts"]["succeeded"]) == (1, 1)
    assert JobStopped(job_id=job_id) in await messages(backends)
    assert await event_kinds(backends, job_id) == [JobCreated, JobFinished]


async def test_a_job_that_has_ended_cannot_be_cancelled(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client, "acme/web")
    await dispatch(backends, job_id)
    await finish(backends, job_id, "acme/web", succeeded(RunOutcome.PATCH))
    await backends.jobs.end_shard(job_id, 1, 0)
    answer = await client.post(f"/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")


async def test_retrying_queues_what_failed_again(client: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(client)
    await dispatch(backends, job_id)
    failure = Failure(code=FailureCode.DISK_FULL, message="no room", retryable=True)
    await finish(backends, job_id, "acme/web", RunFailed(failure=failure, files=FileCounts()))
    await finish(backends, job_id, "acme/api", succeeded(RunOutcome.PATCH))
    await backends.jobs.end_shard(job_id, 1, 0)
    await messages(backends)
    answer = await client.post(f"/jobs/{job_id}/retry")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["counts"]["queued"]) == ("PENDING", 1)
    assert await messages(backends) == [JobSubmitted(job_id=job_id)]
    assert (await event_kinds(backends, job_id))[-1] is JobRetried
    again = await client.post(f"/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
