import pytest
import structlog

from cody_jobs.errors import Unavailable
from cody_runtime.waiting import wait_for


async def test_it_waits_until_the_dependency_answers_and_says_what_for() -> None:
    answers = iter([Unavailable("db", "starting"), "ready"])

    async def attempt() -> str:
        answer = next(answers)
        if isinstance(answer, Unavailable):
            raise answer
        return str(answer)

    with structlog.testing.capture_logs() as lines:
        assert await wait_for("PostgreSQL (DATABASE_URL)", attempt, patience=30) == "ready"
    assert [(line["event"], line["what"]) for line in lines] == [("waiting_for", "PostgreSQL (DATABASE_URL)")]


async def test_it_gives_up_after_its_patience_with_the_last_error() -> None:
    async def attempt() -> str:
        raise Unavailable("db", "refused")

    with structlog.testing.capture_logs() as lines, pytest.raises(Unavailable, match="refused"):
        await wait_for("PostgreSQL (DATABASE_URL)", attempt, patience=0)
    assert lines[-1]["event"] == "gave_up_waiting"


async def test_other_errors_are_not_waited_out() -> None:
    async def attempt() -> str:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await wait_for("anything", attempt, patience=30)
