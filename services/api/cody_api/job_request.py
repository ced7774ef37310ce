"""The body of POST /jobs, and everything that can be wrong with it, found at once."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cody_api.check_repositories import NAME_SCHEMA as REPOSITORY_SCHEMA
from cody_api.check_repositories import check_repositories
from cody_api.check_sample import SAMPLE_SIZE, check_sample
from cody_api.check_scope import (
    MATCH_LENGTH,
    MATCH_SCHEMA,
    MODEL,
    PATTERN_LENGTH,
    PATTERN_SCHEMA,
    PATTERNS_PER_FIELD,
    check_match,
    check_model,
    check_patterns,
)
from cody_api.check_text import (
    NAME_LENGTH,
    NAME_SCHEMA,
    PROMPT_LENGTH,
    PROMPT_SCHEMA,
    check_name,
    check_prompt,
    check_type,
)
from cody_api.parse_body import Fields, anything, parse_body
from cody_jobs.identity import fingerprint
from cody_jobs.models import JobSpec, JobType
from cody_jobs.repository_names import REPOSITORIES_PER_JOB

Pattern = Annotated[str, Meta(min_length=1, max_length=PATTERN_LENGTH, extra_json_schema=PATTERN_SCHEMA)]


class JobRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One prompt for many repositories."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=NAME_LENGTH,
            description="One line, for people.",
            examples=["Test Job"],
            extra_json_schema=NAME_SCHEMA,
        ),
    ]
    type: Annotated[JobType, Meta(description="What kind of change this is.")]
    prompt: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=PROMPT_LENGTH,
            description="What Claude is asked about every candidate file.",
            extra_json_schema=PROMPT_SCHEMA,
        ),
    ]
    repositories: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema=REPOSITORY_SCHEMA)], ...],
        Meta(
            min_length=1,
            max_length=REPOSITORIES_PER_JOB,
            description="owner/name each, without duplicates (upper and lower case are the same).",
            examples=[["acme/web", "acme/api"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ]
    create_pull_requests: Annotated[
        bool, Meta(description="Whether pull requests are opened, where that is allowed.")
    ] = False
    include: Annotated[
        tuple[Pattern, ...],
        Meta(
            max_length=PATTERNS_PER_FIELD,
            description="Only files whose path matches one of these gitignore-style patterns.",
        ),
    ] = ()
    exclude: Annotated[
        tuple[Pattern, ...],
        Meta(max_length=PATTERNS_PER_FIELD, description="No files whose path matches one of these."),
    ] = ()
    match: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MATCH_LENGTH, extra_json_schema=MATCH_SCHEMA)] | None,
        Meta(description="Only files whose text contains a match of this Python regular expression."),
    ] = None
    model: Annotated[
        Annotated[str, Meta(extra_json_schema={"pattern": MODEL})] | None,
        Meta(description="A Claude model other than the setting CLAUDE_MODEL."),
    ] = None

    sample: Annotated[
        Annotated[int, Meta(ge=1, le=SAMPLE_SIZE)] | None,
        Meta(description="Work on so many repositories that differ first, and on the rest when that is approved."),
    ] = None

    def spec(self) -> JobSpec:
        return JobSpec(
            name=self.name,
            type=self.type,
            prompt=self.prompt,
            create_pull_requests=self.create_pull_requests,
            include=self.include,
            exclude=self.exclude,
            match=self.match,
            model=self.model,
            sample=self.sample or 0,
        )

    def fingerprint(self) -> str:
        """Equal for bodies that ask for the same: defaults spelled out or not, in any order of fields."""
        return fingerprint(msgspec.json.encode(self))


def parse_job_request(body: bytes, *, allowed: Sequence[str]) -> JobRequest:
    """Raise `ProblemError` naming every field that is wrong: 400 for what is not JSON, 422 for the rest."""
    return parse_body(body, JobRequest, _fields(allowed))


def _fields(allowed: Sequence[str]) -> Fields:
    return {
        "name": (str, check_name),
        "type": (str, check_type),
        "prompt": (str, check_prompt),
        "repositories": (list[object], partial(check_repositories, allowed=allowed)),
        "createPullRequests": (bool, anything),
        "include": (list[str], partial(check_patterns, "include")),
        "exclude": (list[str], partial(check_patterns, "exclude")),
        "match": (str | None, check_match),
        "model": (str | None, check_model),
        "sample": (int | None, check_sample),
    }
