"""botocore's errors by what can be done about them: the one place that knows them.

Codes: the "Common errors" pages of the DynamoDB, SQS, AWS Batch and CloudWatch Logs API references.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ResponseStreamingError,
)

from cody_jobs.errors import CodyError, SettingsError, Unavailable

_BUSY = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "TransactionInProgressException",
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "AWS.SimpleQueueService.InternalError",
    }
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "KmsAccessDenied"})
_UNKNOWN_CALLER = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "ExpiredToken",
        "ExpiredTokenException",
        "OptInRequired",
    }
)
_MISSING = frozenset(
    {"ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
)
_REFUSED = frozenset({"ClientException", "InvalidParameterException"})
"""AWS Batch has one code for everything that it does not take; CloudWatch Logs has the other."""
_NOT_OFFERED = frozenset({"UnknownOperationException", "NotImplemented", "UnsupportedOperation"})
_STALE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"})
_AWAY = (EndpointConnectionError, HTTPClientError, ResponseStreamingError, aiohttp.ClientError, OSError)
_NOT_SET_UP = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_WRONG_PLACE = (NoRegionError, InvalidRegionError, EndpointProviderError)


_SHOWN = 200
"""So many characters of an answer that nobody expected."""


class Missing(SettingsError):
    """A table, queue or definition is not there."""


class Refused(SettingsError):
    """AWS does not take this call as it is: it names something that is not there, or that is not right."""


class NotOffered(SettingsError):
    """The endpoint has no such operation: an emulator that does not do everything."""


class SomethingElse(SettingsError):
    """What answers is something else: it has a status of HTTP, and no code of AWS."""


class StaleReceipt(CodyError):
    """The message was deleted, or has been delivered again, since this receipt of it was given."""


class ConditionFailed(CodyError):
    """The condition of a write did not hold. `item` is what was there, as DynamoDB's typed attributes, where the
    write asked for it; empty when there was nothing."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


class TransactionRefused(CodyError):
    """At least one condition of a transaction did not hold: nothing was written. `conditions[i]` is None where the
    i-th write was not to blame, else its `ConditionFailed`."""

    def __init__(self, conditions: Sequence[ConditionFailed | None]) -> None:
        super().__init__("a condition of a transaction did not hold")
        self.conditions = tuple(conditions)


@contextmanager
def translated(service: str) -> Generator[None]:
    """Turn the vendor's errors into ours; let every other error pass. `service` names it for people, with its region
    or endpoint."""
    try:
        yield
    except (ClientError, BotoCoreError, aiohttp.ClientError, OSError) as error:
        known = translate(service, error)
        if known is None:
            raise
        raise known from error


def translate(service: str, error: Exception) -> CodyError | None:
    if isinstance(error, ClientError):
        return _of_answer(service, error)
    if isinstance(error, TimeoutError):
        return Unavailable(service, "no answer in time")
    if isinstance(error, _AWAY):
        return Unavailable(service, str(error) or type(error).__name__)
    if isinstance(error, _NOT_SET_UP):
        return SettingsError(f"{service}: no AWS credentials ({error}); give the program a role, or AWS_ACCESS_KEY_ID")
    if isinstance(error, _WRONG_PLACE):
        return SettingsError(f"{service}: {error}; look at AWS_REGION")
    return None


def _of_answer(service: str, error: ClientError) -> CodyError | None:
    code, said = _code(error), str(error.response.get("Error", {}).get("Message", ""))
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(cast("Mapping[str, Any]", error.response.get("Item", {})))
    if code == "TransactionCanceledException":
        return _of_transaction(service, error)
    if code in _FORBIDDEN:
        return SettingsError(f"{service}: not permitted: {said or code}; add it to the program's role")
    if code in _UNKNOWN_CALLER:
        return SettingsError(f"{service}: credentials refused ({code}: {said}); look at the credentials and AWS_REGION")
    if code in _MISSING:
        return Missing(f"{service}: {said or code}; look at AWS_REGION, or create it with `cody-batch ops bootstrap`")
    if code in _REFUSED:
        return Refused(f"{service}: refused: {said or code}")
    if code in _NOT_OFFERED:
        return NotOffered(f"{service}: the endpoint does not know this operation ({said or code})")
    if code in _STALE or (code == "InvalidParameterValue" and "ReceiptHandle is invalid" in said):
        return StaleReceipt(f"{service}: {said or code}")
    if code.isdigit() and code.startswith("4"):
        return SomethingElse(f"{service}: this endpoint is no service of AWS (HTTP {code}): {said[:_SHOWN]}")
    if code in _BUSY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Unavailable(service, f"{code}: {said}")
    return None


def _of_transaction(service: str, error: ClientError) -> CodyError | None:
    """A collision, or too little capacity, is worth another try; only failed conditions are an answer."""
    reasons = cast("Sequence[Mapping[str, Any]]", error.response.get("CancellationReasons", ()))
    codes = {str(reason.get("Code") or "None") for reason in reasons}
    if codes <= {"None", "ConditionalCheckFailed"} and codes != {"None"} and codes:
        return TransactionRefused([_condition(reason) for reason in reasons])
    if codes & {"ValidationError", "ItemCollectionSizeLimitExceeded"}:
        return None
    return Unavailable(service, f"transaction cancelled: {', '.join(sorted(codes - {'None'})) or 'no reason given'}")


def _condition(reason: Mapping[str, Any]) -> ConditionFailed | None:
    failed = reason.get("Code") == "ConditionalCheckFailed"
    return ConditionFailed(reason.get("Item") or {}) if failed else None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
