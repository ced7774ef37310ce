"""The body of POST /jobs, and everything that can be wrong with it, found at once."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cody_api.check_money import LEAST_USD, MOST_USD, check_cost, check_lane, microusd
from cody_api.check_plan import PlanRequest, check_plan
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
from cody_api.check_steps import MOST_ROUNDS, check_judge, check_rounds, check_steps
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
from cody_jobs.steps import STEPS_PER_JOB, Judge, Lane, Step

Pattern = Annotated[str, Meta(min_length=1, max_length=PATTERN_LENGTH, extra_json_schema=PATTERN_SCHEMA)]

Cost = Annotated[float, Meta(ge=LEAST_USD, le=MOST_USD)]


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
    plan: Annotated[
        PlanRequest | None,
        Meta(description="The job's plan; left out, Claude is asked for one, unless `match` or `include` say enough."),
    ] = None
    max_cost_usd: Annotated[
        Cost | None, Meta(description="The whole job stops asking Claude before it has cost more US dollars than that.")
    ] = None
    max_cost_per_repository_usd: Annotated[Cost | None, Meta(description="The same for each repository.")] = None
    max_cost_per_file_usd: Annotated[Cost | None, Meta(description="The same for each file.")] = None
    sample: Annotated[
        Annotated[int, Meta(ge=1, le=SAMPLE_SIZE)] | None,
        Meta(description="Work on so many repositories that differ first, and on the rest when that is approved."),
    ] = None
    dry_run: Annotated[
        bool,
        Meta(description="Only tell what would be asked, and what that would cost; `sample` is not looked at."),
    ] = False
    lane: Annotated[
        Lane, Meta(description="`economy`: answers at half the price, for work that can wait up to a day.")
    ] = Lane.STANDARD
    steps: Annotated[
        tuple[Step, ...],
        Meta(
            max_length=STEPS_PER_JOB,
            description="Codemods, then the edit, then commands that verify the result. Without any, one edit.",
        ),
    ] = ()
    verify_rounds: Annotated[
        Annotated[int, Meta(ge=0, le=MOST_ROUNDS)],
        Meta(description="How often what a verify step found goes back to Claude."),
    ] = 3
    judge: Annotated[
        Judge, Meta(description="Whether Claude compares each diff with the prompt, and what its verdict is worth.")
    ] = Judge.OFF
    allow_paths: Annotated[
        tuple[Pattern, ...],
        Meta(
            max_length=PATTERNS_PER_FIELD,
            description="Protected paths that may be changed (workflows, CODEOWNERS, lock files and the like).",
        ),
    ] = ()
    protect_paths: Annotated[
        tuple[Pattern, ...],
        Meta(max_length=PATTERNS_PER_FIELD, description="More paths that may not be changed."),
    ] = ()

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
            plan=None if self.plan is None else self.plan.plan(),
            # A dry run looks at all repositories: there is nothing to approve.
            sample=0 if self.dry_run else self.sample or 0,
            dry_run=self.dry_run,
            lane=self.lane,
            steps=self.steps,
            verify_rounds=self.verify_rounds,
            judge=self.judge,
            allow_paths=self.allow_paths,
            protect_paths=self.protect_paths,
            max_cost_microusd=microusd(self.max_cost_usd),
            max_repository_cost_microusd=microusd(self.max_cost_per_repository_usd),
            max_file_cost_microusd=microusd(self.max_cost_per_file_usd),
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
        "plan": (dict[str, object] | None, check_plan),
        "maxCostUsd": (float | None, partial(check_cost, "maxCostUsd")),
        "maxCostPerRepositoryUsd": (float | None, partial(check_cost, "maxCostPerRepositoryUsd")),
        "maxCostPerFileUsd": (float | None, partial(check_cost, "maxCostPerFileUsd")),
        "sample": (int | None, check_sample),
        "dryRun": (bool, anything),
        "lane": (str, check_lane),
        "steps": (list[Step], check_steps),
        "verifyRounds": (int, check_rounds),
        "judge": (str, check_judge),
        "allowPaths": (list[str], partial(check_patterns, "allowPaths")),
        "protectPaths": (list[str], partial(check_patterns, "protectPaths")),
    }
