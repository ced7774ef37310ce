"""What a body of POST /jobs may say, and how clearly a wrong one is refused."""

from collections.abc import Mapping

import msgspec
import pytest

from cody_api.job_request import JobRequest, parse_job_request
from cody_api.problems import FieldProblem, ProblemError
from tests.unit.cody_api.stories import NOTHING, job_body

ALLOWED = ("acme/*",)


def parse(body: Mapping[str, object]) -> JobRequest:
    return parse_job_request(msgspec.json.encode(body), allowed=ALLOWED)


def refuse(body: Mapping[str, object]) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        parse(body)
    return caught.value


def only_problem(body: Mapping[str, object]) -> FieldProblem:
    error = refuse(body)
    assert error.status == 422
    assert len(error.errors) == 1, error.errors
    assert error.code == error.errors[0].code
    assert error.errors[0].field in error.detail
    return error.errors[0]


def test_the_four_fields_of_old_integrations_are_enough() -> None:
    request = parse(job_body("acme/web", createPullRequests=False))
    assert request.repositories == ("acme/web",)
    assert request.spec().prompt == "do it"


def test_nothing_is_stripped_from_what_was_sent() -> None:
    request = parse(job_body(prompt="  two\n lines\n ", include=[" a.py"], match=" x "))
    assert (request.prompt, request.include, request.match) == ("  two\n lines\n ", (" a.py",), " x ")


def test_money_is_counted_in_whole_millionths_of_a_dollar() -> None:
    spec = parse(job_body(maxCostUsd=0.1, maxCostPerRepositoryUsd=3, maxCostPerFileUsd=0.0000015)).spec()
    assert (spec.max_cost_microusd, spec.max_repository_cost_microusd, spec.max_file_cost_microusd) == (
        100_000,
        3_000_000,
        2,
    )
    assert parse(job_body()).spec().max_cost_microusd is None


@pytest.mark.parametrize("amount", [0, -0.5, 1e9])
def test_an_amount_that_is_none_is_refused(amount: float) -> None:
    problem = only_problem(job_body(maxCostUsd=amount))
    assert (problem.field, problem.code) == ("maxCostUsd", "bad_cost")


def test_an_unknown_job_type_is_answered_with_the_known_ones() -> None:
    problem = only_problem(job_body(type="refactor"))
    assert (problem.field, problem.code, problem.value) == ("type", "unknown_job_type", "refactor")
    assert "code-pattern-update, dependency-update" in problem.message


@pytest.mark.parametrize("prompt", ["", " \n\t "])
def test_an_empty_or_blank_prompt_is_refused(prompt: str) -> None:
    assert only_problem(job_body(prompt=prompt)).code == "empty_prompt"


def test_a_prompt_of_100_000_characters_is_taken_and_one_more_is_not() -> None:
    assert len(parse(job_body(prompt="ä" * 100_000)).prompt) == 100_000
    assert "100001 characters" in only_problem(job_body(prompt="ä" * 100_001)).message


def test_a_job_without_repositories_is_refused() -> None:
    assert only_problem(job_body() | {"repositories": NOTHING}).code == "no_repositories"


def test_10_000_repositories_are_taken_and_one_more_is_not() -> None:
    names = [f"acme/r{number}" for number in range(10_001)]
    assert len(parse(job_body(*names[:-1])).repositories) == 10_000
    problem = only_problem(job_body(*names))
    assert (problem.code, problem.field) == ("too_many_repositories", "repositories")
    assert "10001" in problem.message


def test_a_duplicate_is_named_with_both_places_whatever_its_case() -> None:
    problem = only_problem(job_body("acme/web", "acme/api", "Acme/Web"))
    assert (problem.field, problem.value, problem.code) == ("repositories[2]", "Acme/Web", "duplicate_repository")
    assert "repositories[0]" in problem.message


@pytest.mark.parametrize("name", ["acme/../x", "acme", "acme/a/b", "acme/.git", "acme/a b", "acme/x.git", "/x", ""])
def test_what_is_not_a_name_is_refused_with_its_place(name: str) -> None:
    problem = only_problem(job_body("acme/web", name))
    assert (problem.field, problem.value, problem.code) == ("repositories[1]", name, "bad_repository_name")


def test_a_repository_that_is_not_allowed_names_the_setting() -> None:
    problem = only_problem(job_body("acme/web", "other/web"))
    assert (problem.field, problem.code) == ("repositories[1]", "repository_not_allowed")
    assert "ALLOWED_REPOSITORIES" in problem.message


def test_an_empty_setting_allows_none_and_says_so() -> None:
    with pytest.raises(ProblemError) as caught:
        parse_job_request(msgspec.json.encode(job_body("acme/web")), allowed=())
    assert "is empty, which allows none" in caught.value.errors[0].message


@pytest.mark.parametrize("match", ["(", "a{2,1}", "[z-a]", "", "(" * 1000, "x" * 2001, "a{99999999999999999999}"])
def test_a_regular_expression_that_does_not_compile_is_refused(match: str) -> None:
    assert only_problem(job_body(match=match)).code == "bad_match"


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("name", 7, "name"),
        ("prompt", None, "prompt"),
        ("repositories", "acme/web", "repositories"),
        ("repositories", ["acme/web", 7], "repositories[1]"),
        ("createPullRequests", "yes", "createPullRequests"),
        ("include", [".", 3], "include[1]"),
        ("exclude", "*.py", "exclude"),
        ("model", 3, "model"),
    ],
)
def test_a_wrong_type_names_the_field_and_the_place_in_it(field: str, value: object, wrong: str) -> None:
    problem = only_problem(job_body() | {field: value})
    assert (problem.field, problem.code) == (wrong, "wrong_type")
    assert problem.message.startswith("expected")


@pytest.mark.parametrize("field", ["name", "prompt", "match", "include", "exclude"])
def test_the_character_that_postgresql_cannot_store_is_refused(field: str) -> None:
    text = "a\0b"
    value = [text] if field in ("include", "exclude") else text
    assert only_problem(job_body() | {field: value}).field.startswith(field)


@pytest.mark.parametrize("name", [" ", "a\nb", "x" * 201, "\x1b[31mred"])
def test_a_name_is_one_printable_line(name: str) -> None:
    assert only_problem(job_body(name=name)).field == "name"


@pytest.mark.parametrize("model", ["", " ", "a b", "sonnet\n", "x" * 200])
def test_a_model_is_a_name(model: str) -> None:
    assert only_problem(job_body(model=model)).code == "bad_model"


def test_a_field_that_does_not_exist_is_named_and_so_are_those_that_do() -> None:
    problem = only_problem(job_body(repos=["acme/web"]))
    assert (problem.field, problem.code) == ("repos", "unknown_field")
    assert "repositories" in problem.message


def test_missing_fields_are_all_named() -> None:
    error = refuse({})
    assert [problem.field for problem in error.errors] == ["name", "type", "prompt", "repositories"]
    assert error.code == "missing_field"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    error = refuse(job_body("acme/web", "no", "other/x", prompt=" ", type="x", match="(", extra=1))
    fields = {problem.field for problem in error.errors}
    assert fields == {"extra", "type", "prompt", "match", "repositories[1]", "repositories[2]"}
    assert error.code == "invalid_request"
    assert "(and 5 more)" in error.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"name":"\\ud800"}',
        b'{"name":"\xff"}',
        b'{"a":' + b"[" * 100_000,
        b'{"repositories":' + b"[" * 500 + b"]" * 499,
    ],
)
def test_what_is_not_a_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_job_request(body, allowed=ALLOWED)
    assert (caught.value.status, caught.value.code) == (400, "malformed_json")


def test_the_same_request_in_other_words_has_the_same_fingerprint() -> None:
    body = job_body("acme/web")
    spelled_out = {"match": None, "include": NOTHING, "createPullRequests": False} | dict(reversed(body.items()))
    assert parse(spelled_out).fingerprint() == parse(body).fingerprint()


@pytest.mark.parametrize("change", [{"prompt": "do it "}, {"match": "x"}, {"repositories": ["acme/api", "acme/web"]}])
def test_another_request_has_another_fingerprint(change: dict[str, object]) -> None:
    assert parse(job_body() | change).fingerprint() != parse(job_body()).fingerprint()
