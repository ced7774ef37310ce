"""The bodies of approve and retry: both may be left out."""

from typing import Annotated

from msgspec import Meta, Struct

from cody_api.check_sample import (
    GLOB_LENGTH,
    GLOB_SCHEMA,
    GLOBS,
    check_codes,
    check_globs,
    check_new_prompt,
    check_outcomes,
)
from cody_api.check_text import PROMPT_LENGTH, PROMPT_SCHEMA
from cody_api.parse_body import anything, parse_body
from cody_jobs.models import FailureCode, RunOutcome
from cody_jobs.run_filter import RunFilter

Prompt = Annotated[
    Annotated[str, Meta(min_length=1, max_length=PROMPT_LENGTH, extra_json_schema=PROMPT_SCHEMA)] | None,
    Meta(description="Replaces the job's prompt for all that follows; the former ones stay visible."),
]


class ApproveRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a job goes on after its sample."""

    prompt: Prompt = None
    again: Annotated[
        bool,
        Meta(
            description="Whether the sample's succeeded repositories run again, too (failed ones do so anyway "
            "where there is a new prompt)."
        ),
    ] = False


class RetryRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which ended repositories run again. Without `codes` and `outcomes`: those that failed or were cancelled (of a
    sample, with a `prompt`: all of them)."""

    codes: Annotated[tuple[FailureCode, ...], Meta(description="Failed repositories with one of these codes.")] = ()
    outcomes: Annotated[
        tuple[RunOutcome, ...], Meta(description="Succeeded repositories with one of these outcomes.")
    ] = ()
    repositories: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=GLOB_LENGTH, extra_json_schema=GLOB_SCHEMA)], ...],
        Meta(
            max_length=GLOBS,
            description="Only repositories whose name matches one of these globs.",
            examples=[["acme/*"]],
        ),
    ] = ()
    prompt: Prompt = None

    @property
    def runs(self) -> RunFilter:
        return RunFilter(codes=self.codes, outcomes=self.outcomes, repositories=self.repositories)


def parse_approve_request(body: bytes) -> ApproveRequest:
    """Raise `ProblemError` naming every field that is wrong."""
    if not body:
        return ApproveRequest()
    return parse_body(body, ApproveRequest, {"prompt": (str | None, check_new_prompt), "again": (bool, anything)})


def parse_retry_request(body: bytes) -> RetryRequest:
    """Raise `ProblemError` naming every field that is wrong."""
    if not body:
        return RetryRequest()
    return parse_body(
        body,
        RetryRequest,
        {
            "codes": (list[str], check_codes),
            "outcomes": (list[str], check_outcomes),
            "repositories": (list[str], check_globs),
            "prompt": (str | None, check_new_prompt),
        },
    )
