"""What the programs of one machine leave in CODY_DATA for each other: where they serve, the first token, the lock."""

import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cody_cli.failures import CommandFailed
from cody_cli.patches import write_whole


class Serving(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Content of CODY_DATA/up.json while a stack runs, and (without the root) of api.json, which the API writes."""

    url: str
    pid: int
    repositories_root: str | None = None


class AlreadyRunning(CommandFailed):
    """Another stack holds this CODY_DATA."""


class DataFolder:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.path = Path(environment.get("CODY_DATA", "").strip() or "~/.cody-batch").expanduser().absolute()

    @property
    def token_file(self) -> Path:
        return self.path / "token"

    @property
    def repositories(self) -> Path:
        return self.path / "repositories"

    @property
    def log_file(self) -> Path:
        return self.path / "logs" / "run.log"

    def token(self) -> str | None:
        try:
            return self.token_file.read_text().strip() or None
        except OSError:
            return None

    def serving(self) -> Serving | None:
        """Who serves on this folder as far as the files tell; a program that was killed leaves its file behind."""
        stack, api = self._read("up.json"), self._read("api.json")
        if stack and (api is None or not _alive(api.pid)):
            return stack
        if api and stack and stack.url == api.url:
            return stack
        return api

    def living_api(self) -> Serving | None:
        """The api that wrote api.json, if its process is alive."""
        api = self._read("api.json")
        return api if api and _alive(api.pid) else None

    def is_locked(self) -> bool:
        """Whether a stack holds the folder right now."""
        try:
            handle = os.open(self.path / "up.lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def write_serving(self, serving: Serving) -> None:
        write_whole(self.path / "up.json", msgspec.json.encode(serving))

    def forget_serving(self) -> None:
        (self.path / "up.json").unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the folder for one stack. Raises `AlreadyRunning` at once when another one has it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandFailed(
                f"CODY_DATA {self.path}: {error.strerror}", hint="set CODY_DATA to a folder of yours"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise self._already_running() from None
        try:
            yield
        finally:
            os.close(handle)

    def _already_running(self) -> AlreadyRunning:
        serving = self.serving()
        where = f" It serves at {serving.url}" if serving else " It is starting or stopping"
        return AlreadyRunning(
            f"Cody Batch is running on {self.path} already.{where}.",
            hint="use that one, or set CODY_DATA to another folder for a second one",
        )

    def _read(self, name: str) -> Serving | None:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=Serving)
        except (OSError, msgspec.DecodeError):
            return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
