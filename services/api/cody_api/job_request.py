"""The body of POST /jobs, and everything that can be wrong with it, found at once."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cody_api.check_repositories import NAME_SCHEMA as REPOSITORY_SCHEMA
from cody_api.check_repositories import check_repositories
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
from cody_api.problems import FieldProblem, ProblemError, shown
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
        )

    def fingerprint(self) -> str:
        """Equal for bodies that ask for the same: defaults spelled out or not, in any order of fields."""
        return fingerprint(msgspec.json.encode(self))


def parse_job_request(body: bytes, *, allowed: Sequence[str]) -> JobRequest:
    """Raise `ProblemError` naming every field that is wrong: 400 for what is not JSON, 422 for the rest."""
    sent = _decode_object(body)
    problems = [*_unknown_fields(sent), *_missing_fields(sent)]
    values: dict[str, object] = {}
    for name, (kind, check) in _fields(allowed).items():
        if name not in sent:
            continue
        try:
            values[name] = msgspec.json.decode(sent[name], type=kind)
        except msgspec.ValidationError as error:
            problems.append(_wrong_type(name, str(error)))
            continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(400, "malformed_json", f"{name}: this is not JSON: {error}") from error
        problems += check(values[name])
    if problems:
        raise _as_error(problems)
    return msgspec.convert(values, JobRequest)


def _fields(allowed: Sequence[str]) -> Mapping[str, tuple[object, Callable[[Any], list[FieldProblem]]]]:
    """The loosest type of each field that its check takes. The Struct's own limits would stop at the first."""
    return {
        "name": (str, check_name),
        "type": (str, check_type),
        "prompt": (str, check_prompt),
        "repositories": (list[object], partial(check_repositories, allowed=allowed)),
        "createPullRequests": (bool, _anything),
        "include": (list[str], partial(check_patterns, "include")),
        "exclude": (list[str], partial(check_patterns, "exclude")),
        "match": (str | None, check_match),
        "model": (str | None, check_model),
    }


def _decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    if not body.strip():
        raise ProblemError(400, "malformed_json", "The body is empty; a job is a JSON object.")
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise ProblemError(400, "malformed_json", "The body is not a JSON object.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(400, "malformed_json", f"The body is not JSON: {error}") from error


def _unknown_fields(sent: Mapping[str, object]) -> list[FieldProblem]:
    known = [field.encode_name for field in msgspec.structs.fields(JobRequest)]
    message = f"there is no such field; there are {', '.join(known)}"
    return [
        FieldProblem(field=shown(name), message=message, code="unknown_field") for name in sent if name not in known
    ]


def _missing_fields(sent: Mapping[str, object]) -> list[FieldProblem]:
    return [
        FieldProblem(field=field.encode_name, message="is required", code="missing_field")
        for field in msgspec.structs.fields(JobRequest)
        if field.required and field.encode_name not in sent
    ]


def _wrong_type(name: str, message: str) -> FieldProblem:
    """msgspec says `Expected …, got … - at `$[3]``; the place belongs to the field."""
    words, _, place = message.partition(" - at `$")
    return FieldProblem(field=name + place.rstrip("`"), message=words.replace("`", "").lower(), code="wrong_type")


def _anything(_value: object) -> list[FieldProblem]:
    return []


def _as_error(problems: Sequence[FieldProblem]) -> ProblemError:
    codes = {problem.code for problem in problems}
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    code = first.code if len(codes) == 1 else "invalid_request"
    return ProblemError(422, code, f"{first.field}: {first.message}{more}", errors=problems)
