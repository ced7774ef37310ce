import json
import logging
from collections.abc import Generator

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from cody_runtime.logs import configure_logs, get_logger


@pytest.fixture(autouse=True)
def restored_logging() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def last_line(capture: pytest.CaptureFixture[str]) -> dict[str, object]:
    return json.loads(capture.readouterr().err.strip().splitlines()[-1])


def test_a_line_is_json_with_capital_level_service_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("tester")
    get_logger("x").error("Job processing failed", code="disk_full")
    line = last_line(capsys)
    assert (line["level"], line["event"], line["code"]) == ("ERROR", "Job processing failed", "disk_full")
    assert line["service"] == "tester"
    assert str(line["timestamp"]).endswith("Z")


def test_a_line_carries_the_ids_of_the_current_span(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("tester")
    with TracerProvider().get_tracer("x").start_as_current_span("step") as span:
        get_logger("x").info("inside")
    line = last_line(capsys)
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert line["span_id"] == f"{span.get_span_context().span_id:016x}"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefghijkl",
        "ghp_abcdefghijklmnopqrstuvwxyz012345",
        "github_pat_abcdefghijklmnopqrstuvwxyz",
        "cody_abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_secrets_are_censored_wherever_they_stand(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("tester")
    get_logger("x").info("said", text=f"with {secret} inside", nested={"deep": [secret]})
    logging.getLogger("library").warning("a library said %s", secret)
    assert secret not in capsys.readouterr().err


def test_passwords_in_urls_and_bearer_headers_are_censored(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("tester")
    get_logger("x").info("said", url="postgresql://me:hunter2@host/db", header="Authorization: Bearer abcdefghijk")
    shown = capsys.readouterr().err
    assert "hunter2" not in shown
    assert "abcdefghijk" not in shown
    assert "@host/db" in shown


def test_fields_named_like_secrets_are_censored(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("tester")
    get_logger("x").info("said", api_key="anything", token="anything", input_tokens=5)
    line = last_line(capsys)
    assert (line["api_key"], line["token"], line["input_tokens"]) == ("[secret]", "[secret]", 5)


def test_a_stack_is_censored_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("tester")
    try:
        raise ValueError("sk-ant-api03-abcdefghijkl")
    except ValueError:
        get_logger("x").exception("failed")
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert "sk-ant-api03" not in shown
