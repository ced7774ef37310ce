from cody_jobs.identity import fingerprint, job_id_for_key, new_job_id


def test_ids_start_with_job_and_differ() -> None:
    first, second = new_job_id(), new_job_id()
    assert first.startswith("job-")
    assert first != second


def test_the_same_caller_and_key_lead_to_the_same_id() -> None:
    assert job_id_for_key("ci", "k1") == job_id_for_key("ci", "k1")


def test_another_caller_or_key_leads_to_another_id() -> None:
    assert len({job_id_for_key("ci", "k1"), job_id_for_key("ci", "k2"), job_id_for_key("me", "k1")}) == 3


def test_a_fingerprint_tells_bodies_apart() -> None:
    assert fingerprint(b"a") == fingerprint(b"a")
    assert fingerprint(b"a") != fingerprint(b"b")
