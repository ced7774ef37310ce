"""What an approval says, and what an amended prompt makes of a job."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from cody_jobs.identity import fingerprint
from cody_jobs.models import FormerPrompt, Job
from cody_jobs.run_filter import EVERY_ENDED, PLAIN, RunFilter

_ROOM = 350_000
"""Bytes of JSON that a job's spec and former prompts take together: an item of DynamoDB holds 400 KB in all."""


def approval_mark(prompt: str | None, *, again: bool) -> str:
    """By which the same approval is known when it is given again."""
    return fingerprint(msgspec.json.encode([prompt, again]))


def runs_after_approval(prompt: str | None, *, again: bool) -> RunFilter | None:
    """Which runs of the sample an approval queues again."""
    if again:
        return EVERY_ENDED
    return None if prompt is None else PLAIN


def runs_to_retry(job: Job, runs: RunFilter, prompt: str | None) -> RunFilter:
    """What a retry means: tuned with another prompt, a sample is tried again as a whole, unless codes or outcomes are
    named."""
    whole = job.sampling and prompt is not None and not runs.codes and not runs.outcomes
    return msgspec.structs.replace(runs, succeeded_too=True) if whole else runs


def amend_prompt(job: Job, prompt: str | None, *, now: datetime) -> Job:
    """The job with this prompt (None: with its own); of very long former prompts, the oldest are forgotten."""
    if prompt is None or prompt == job.spec.prompt:
        return job
    spec = msgspec.structs.replace(job.spec, prompt=prompt)
    former = (*job.former_prompts, FormerPrompt(prompt=job.spec.prompt, until=now))
    kept = _newest(former, _ROOM - len(msgspec.json.encode(spec)))
    return msgspec.structs.replace(job, spec=spec, former_prompts=kept)


def _newest(prompts: Sequence[FormerPrompt], room: int) -> tuple[FormerPrompt, ...]:
    left = list(prompts)
    while left and len(msgspec.json.encode(left)) > room:
        left.pop(0)
    return tuple(left)
