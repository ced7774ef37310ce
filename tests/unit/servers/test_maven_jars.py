import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.servers.java import ServerMissing
from tests.servers.maven_jars import Artifact, jars_of
from tests.servers.process import ServerFailed

_ARTIFACT = Artifact(group="org.example", name="server", version="1.0")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "caches/cody-batch/servers"


def environment_with_maven(folder: Path, script: str) -> Mapping[str, str]:
    """`script` is what its `mvn` does; it is given Maven's arguments."""
    maven = folder / "bin/mvn"
    maven.parent.mkdir()
    maven.write_text(f"#!/bin/sh\n{script}\n")
    maven.chmod(0o755)
    return {"PATH": f"{maven.parent}:/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "caches")}


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_two_that_want_the_same_jars_at_once_get_them_once(tmp_path: Path, cache: Path) -> None:
    environment = environment_with_maven(
        tmp_path, f'grep -q "<artifactId>server<" pom.xml && mkdir jars && touch jars/a.jar; echo >>{tmp_path}/calls'
    )
    first, second = await asyncio.gather(*(jars_of(_ARTIFACT, environment) for _ in range(2)))
    assert first == second == cache / "server-1.0"
    assert names_in(first) == ["a.jar"]
    assert len((tmp_path / "calls").read_text()) == 1


async def test_jars_that_are_there_need_no_maven(tmp_path: Path, cache: Path) -> None:
    (cache / "server-1.0").mkdir(parents=True)
    environment = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "caches")}
    assert await jars_of(_ARTIFACT, environment) == cache / "server-1.0"


async def test_without_maven_it_is_said_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ServerMissing, match="no Maven"):
        await jars_of(_ARTIFACT, {"PATH": str(tmp_path), "HOME": str(tmp_path)})


async def test_half_of_the_jars_are_not_kept(tmp_path: Path, cache: Path) -> None:
    environment = environment_with_maven(tmp_path, "mkdir jars; touch jars/a.jar; echo no such version; exit 1")
    with pytest.raises(ServerFailed, match="no such version"):
        await jars_of(_ARTIFACT, environment)
    assert names_in(cache) == ["lock"]
