"""What may be said of a job's steps, its judge and its paths: the description and the checks agree."""

from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar

from cody_api.job_request import parse_job_request
from cody_api.openapi import build_document
from cody_api.problems import FieldProblem, ProblemError
from cody_jobs.steps import CodemodStep, EditStep, Judge, VerifyStep
from tests.unit.cody_api.stories import job_body

CODEMOD: dict[str, Any] = {"kind": "codemod", "argv": ["ast-grep", "run", "-U"]}
EDIT: dict[str, Any] = {"kind": "edit"}
VERIFY: dict[str, Any] = {"kind": "verify", "argv": ["python", "-m", "pytest", "-q"]}


def problems_of(**fields: object) -> list[FieldProblem]:
    try:
        parse_job_request(msgspec.json.encode(job_body(**fields)), allowed=("*",))
    except ProblemError as error:
        return list(error.errors)
    return []


def test_steps_become_part_of_the_job() -> None:
    body = job_body(
        steps=[CODEMOD, EDIT, VERIFY], verifyRounds=0, judge="decides", allowPaths=["*.lock"], protectPaths=["db/**"]
    )
    spec = parse_job_request(msgspec.json.encode(body), allowed=("*",)).spec()
    assert spec.steps == (
        CodemodStep(argv=("ast-grep", "run", "-U")),
        EditStep(),
        VerifyStep(argv=("python", "-m", "pytest", "-q")),
    )
    assert (spec.verify_rounds, spec.judge) == (0, Judge.DECIDES)
    assert (spec.allow_paths, spec.protect_paths) == (("*.lock",), ("db/**",))


async def test_a_job_shows_its_steps(client: httpx.AsyncClient) -> None:
    job = (await client.post("/jobs", json=job_body(steps=[CODEMOD, VERIFY], judge="advises"))).json()
    assert (job["steps"], job["judge"], job["verifyRounds"]) == ([CODEMOD, VERIFY], "advises", 3)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([EDIT, CODEMOD], "bad_order"),
        ([VERIFY, EDIT], "bad_order"),
        ([EDIT, EDIT], "too_many_edits"),
        ([VERIFY], "nothing_to_do"),
        ([CODEMOD] * 21, "too_many_steps"),
        ([{"kind": "codemod", "argv": ["a\0b"]}], "nul_character"),
    ],
)
def test_steps_that_make_no_sense_are_refused(steps: list[object], code: str) -> None:
    [problem] = problems_of(steps=steps)
    assert problem.code == code


BODIES: list[tuple[dict[str, object], bool]] = [
    ({"steps": [CODEMOD, CODEMOD, EDIT, VERIFY, VERIFY]}, True),
    ({"steps": []}, True),
    ({"steps": [EDIT], "verifyRounds": 10, "judge": "off"}, True),
    ({"steps": [{"kind": "codemod", "argv": []}]}, False),
    ({"steps": [{"kind": "codemod", "argv": [""]}]}, False),
    ({"steps": [{"kind": "codemod", "argv": "rm -rf ."}]}, False),
    ({"steps": [{"kind": "codemod", "argv": ["a"], "shell": True}]}, False),
    ({"steps": [{"kind": "shell", "argv": ["a"]}]}, False),
    ({"steps": [{"kind": "edit", "argv": ["a"]}]}, False),
    ({"verifyRounds": -1}, False),
    ({"verifyRounds": 11}, False),
    ({"judge": "sometimes"}, False),
    ({"allowPaths": ["../x"]}, False),
    ({"protectPaths": [""]}, False),
]


@pytest.mark.parametrize(("fields", "taken"), BODIES)
def test_the_description_says_what_is_taken(bare_app: Litestar, fields: dict[str, object], taken: bool) -> None:
    document: dict[str, Any] = msgspec.json.decode(build_document(bare_app))
    schema = {"$ref": "#/components/schemas/JobRequest", "components": document["components"]}
    validator: Any = Draft202012Validator(schema)
    assert (not problems_of(**fields), bool(validator.is_valid(job_body(**fields)))) == (taken, taken)
