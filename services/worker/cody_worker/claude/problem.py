"""Why a reply cannot be used."""

from msgspec import Struct

from cody_jobs.models import FailureCode


class Problem(Struct, frozen=True, kw_only=True):
    """`code` and `message` are the file's failure if it stays like this; Claude is told `message` and `advice`. With
    `tries` problems of its kind it stays so."""

    code: FailureCode
    message: str
    advice: str
    tries: int = 3

    @property
    def told(self) -> str:
        return f"Nothing was changed: {self.message}. {self.advice}"


def unusable(message: str, advice: str) -> Problem:
    return Problem(code=FailureCode.CLAUDE_REPLY_UNUSABLE, message=message, advice=advice)
