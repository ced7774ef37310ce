from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from cody_backends.aws.errors import (
    ConditionFailed,
    Missing,
    NotOffered,
    Refused,
    SomethingElse,
    StaleReceipt,
    TransactionRefused,
    translate,
    translated,
)
from cody_jobs.errors import CodyError, JobNotFound, SettingsError, Unavailable

DYNAMODB = "DynamoDB in eu-central-1"


def answer(code: str, message: str = "it said so", *, status: int = 400, **more: Any) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(response, "SomeOperation")


def cancelled(*codes: str, item: Mapping[str, Any] | None = None) -> ClientError:
    reasons: Sequence[Any] = [{"Code": code, **({"Item": item} if item else {})} for code in codes]
    return answer("TransactionCanceledException", CancellationReasons=reasons)


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "TransactionInProgressException",
        "InternalServerError",
        "RequestThrottled",
        "TooManyRequestsException",
        "ServiceUnavailableException",
    ],
)
def test_a_busy_service_may_do_it_later(code: str) -> None:
    known = translate(DYNAMODB, answer(code))
    assert isinstance(known, Unavailable)
    assert known.dependency == DYNAMODB
    assert code in str(known)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_with_an_unknown_code_may_be_over_later(status: int) -> None:
    assert isinstance(translate(DYNAMODB, answer("SomethingNew", status=status)), Unavailable)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        aiohttp.ServerDisconnectedError(),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_that_is_not_reached_may_be_there_later(error: Exception) -> None:
    assert isinstance(translate(DYNAMODB, error), Unavailable)


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (answer("AccessDeniedException", "User: x is not authorized"), SettingsError, "role"),
        (answer("AccessDenied"), SettingsError, "role"),
        (answer("UnrecognizedClientException"), SettingsError, "credentials"),
        (answer("InvalidSignatureException"), SettingsError, "credentials"),
        (answer("ExpiredTokenException"), SettingsError, "credentials"),
        (answer("ResourceNotFoundException"), Missing, "AWS_REGION"),
        (answer("QueueDoesNotExist"), Missing, "AWS_REGION"),
        (answer("ClientException"), Refused, "it said so"),
        (answer("UnknownOperationException"), NotOffered, "endpoint"),
        (answer("404", "<h1>Not Found</h1>", status=404), SomethingElse, "Not Found"),
        (NoCredentialsError(), SettingsError, "AWS_ACCESS_KEY_ID"),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), SettingsError, "AWS_SECRET"),
        (NoRegionError(), SettingsError, "AWS_REGION"),
    ],
    ids=str,
)
def test_what_a_person_has_to_set_right_says_where_and_what(error: Exception, kind: type[CodyError], hint: str) -> None:
    known = translate(DYNAMODB, error)
    assert isinstance(known, kind)
    assert str(known).startswith(f"{DYNAMODB}: ")
    assert hint in str(known)


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "MessageNotInflight"])
def test_a_receipt_may_be_stale(code: str) -> None:
    assert isinstance(translate("SQS", answer(code)), StaleReceipt)


def test_a_condition_that_failed_tells_what_was_there() -> None:
    known = translate(DYNAMODB, answer("ConditionalCheckFailedException", Item={"jobId": {"S": "job-1"}}))
    assert isinstance(known, ConditionFailed)
    assert known.item == {"jobId": {"S": "job-1"}}


def test_a_refused_transaction_tells_which_condition_failed() -> None:
    known = translate(DYNAMODB, cancelled("None", "ConditionalCheckFailed", item={"jobId": {"S": "job-1"}}))
    assert isinstance(known, TransactionRefused)
    assert known.conditions[0] is None
    assert known.conditions[1] is not None
    assert known.conditions[1].item == {"jobId": {"S": "job-1"}}


@pytest.mark.parametrize(
    "codes",
    [
        ("TransactionConflict", "None"),
        ("ThrottlingError", "None"),
        ("ProvisionedThroughputExceeded",),
        ("ConditionalCheckFailed", "TransactionConflict"),
        ("None",),
        (),
    ],
)
def test_a_transaction_that_collided_is_tried_again(codes: Sequence[str]) -> None:
    assert isinstance(translate(DYNAMODB, cancelled(*codes)), Unavailable)


@pytest.mark.parametrize(
    "error",
    [
        answer("ValidationException"),
        cancelled("ValidationError", "ConditionalCheckFailed"),
        ParamValidationError(report="no such parameter"),
    ],
    ids=str,
)
def test_a_mistake_of_ours_is_shown_as_it_is(error: Exception) -> None:
    assert translate(DYNAMODB, error) is None
    with pytest.raises(type(error)), translated(DYNAMODB):
        raise error


def test_our_own_errors_pass() -> None:
    with pytest.raises(JobNotFound), translated(DYNAMODB):
        raise JobNotFound("job-1")


def test_the_vendors_error_stays_the_cause() -> None:
    with pytest.raises(Unavailable) as raised, translated(DYNAMODB):
        raise answer("ThrottlingException")
    assert isinstance(raised.value.__cause__, ClientError)
