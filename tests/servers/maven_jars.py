"""The jars of a server and of all that it needs, had once through Maven and kept outside the tree."""

import asyncio
import fcntl
import pwd
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from os import getuid
from pathlib import Path

import msgspec

from tests.servers.java import ServerMissing
from tests.servers.process import ServerFailed, start_process, stop_process, tail_of_log
from tests.support.wait import wait_until

_SECONDS = 240.0
"""Of one Maven, or of waiting for another session's; the limit of a test is a bit more."""

_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>cody-batch</groupId><artifactId>servers</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """Maven's coordinates of a server's main jar."""

    group: str
    name: str
    version: str


async def jars_of(artifact: Artifact, environment: Mapping[str, str]) -> Path:
    """The folder with the jars, fetched if nobody has yet.

    `environment` is the person's own, not the tests': Maven is to find the machine's settings. Raises ServerMissing
    where the jars are not there and Maven is neither, ServerFailed where it cannot get them.
    """
    cache = _cache(environment)
    jars = cache / f"{artifact.name}-{artifact.version}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn", path=environment.get("PATH"))
    if maven is None:
        raise ServerMissing("there is no Maven to get it with")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        await wait_until(lambda: _is_ours(lock.fileno()), "another session has got its jars", timeout=_SECONDS)
        if not jars.is_dir():
            await _fetch(maven, artifact, jars, environment)
    return jars


def _cache(environment: Mapping[str, str]) -> Path:
    caches = environment.get("XDG_CACHE_HOME") or Path(_home(environment), ".cache")
    return Path(caches, "cody-batch", "servers")


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or pwd.getpwuid(getuid()).pw_dir


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _fetch(maven: str, artifact: Artifact, jars: Path, environment: Mapping[str, str]) -> None:
    """Only a whole folder gets the name that is looked for."""
    with _folder_beside(jars) as folder:
        (folder / "pom.xml").write_text(_POM.format(group=artifact.group, name=artifact.name, version=artifact.version))
        await _run_maven(maven, folder, environment)
        (folder / "jars").rename(jars)


@contextmanager
def _folder_beside(jars: Path) -> Generator[Path]:
    folder = tempfile.mkdtemp(prefix=f"{jars.name}-", dir=jars.parent)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


async def _run_maven(maven: str, folder: Path, environment: Mapping[str, str]) -> None:
    command = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}"]
    process = await start_process(command, folder, environment=environment)
    try:
        async with asyncio.timeout(_SECONDS):
            await process.wait()
    except TimeoutError:
        raise ServerFailed(f"Maven did not get the jars within {_SECONDS:g} s") from None
    finally:
        await stop_process(process)
    if process.returncode:
        raise ServerFailed(f"Maven did not get the jars: {tail_of_log(folder)}")
