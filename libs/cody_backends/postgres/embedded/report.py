"""What a supervisor says to the program that started it, when it fails."""

import msgspec

from cody_jobs.errors import CodyError, SettingsError, Unavailable

SERVER = "PostgreSQL (our own, in CODY_DATA)"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    is_setting: bool
    message: str


def encode_report(error: Exception) -> bytes:
    is_setting = isinstance(error, SettingsError | PermissionError)
    message = str(error) if isinstance(error, CodyError) else f"{type(error).__name__}: {error} (in CODY_DATA)"
    return msgspec.json.encode(Report(is_setting=is_setting, message=message.removeprefix(f"{SERVER}: ")))


def decode_report(said: bytes) -> CodyError:
    """Text that is no report is the end of a Python program that broke down."""
    try:
        report = msgspec.json.decode(said, type=Report)
    except msgspec.DecodeError:
        return Unavailable(SERVER, said.decode(errors="replace").strip().rsplit("\n", 1)[-1])
    return SettingsError(report.message) if report.is_setting else Unavailable(SERVER, report.message)
