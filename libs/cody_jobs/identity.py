"""Ids of jobs and hashes that say "the same request"."""

import hashlib
import secrets

_PREFIX = "job-"


def new_job_id() -> str:
    return _PREFIX + secrets.token_hex(12)


def job_id_for_key(caller: str, idempotency_key: str) -> str:
    """The id that the same caller's same Idempotency-Key always leads to: a repeated POST finds its own job."""
    return _PREFIX + hashlib.sha256(f"{caller}\n{idempotency_key}".encode()).hexdigest()[:24]


def fingerprint(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
