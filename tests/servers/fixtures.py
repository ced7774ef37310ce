"""The servers of the AWS tests as fixtures: `moto_server`, `dynamodb_local` and `elasticmq`, each an `AwsServer`.

A session starts a server when the first test asks for it, and stops it at its end. moto is always there. The two
others need Java 17 or newer, and, until their jars are in the cache, Maven: where one of these is missing, the tests
that ask are skipped. Where both are there, a server that cannot be had or does not start is an error, so a machine
that can run them cannot leave them out unseen. The session's last lines say which ran. When pytest-xdist splits a
session, each of its processes has servers of its own.

A fixture that picks one of them by name with `request.getfixturevalue` must not be async itself.
"""

import os
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.servers import dynamodb_local as dynamodb
from tests.servers import elasticmq as queues
from tests.servers import moto
from tests.servers.aws_server import AwsServer
from tests.servers.java import ServerMissing

_NAMES = {
    "moto_server": f"moto {moto.VERSION}",
    "dynamodb_local": f"DynamoDB Local {dynamodb.VERSION}",
    "elasticmq": f"ElasticMQ {queues.VERSION}",
}
_NOT_WANTED, _RAN = "not wanted", "ran"
_FAILED = "did not run: it failed to start, see the errors above"
_own_environment = pytest.StashKey[Mapping[str, str]]()
_outcomes = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Before the tests' own environment is laid over the person's, in which Maven has to run."""
    config.stash[_own_environment] = dict(os.environ)
    config.stash[_outcomes] = dict.fromkeys(_NAMES, _NOT_WANTED)


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = {name for item in session.items if isinstance(item, pytest.Function) for name in _asks_for(item)}
    for fixture in _NAMES.keys() & wanted:
        session.config.stash[_outcomes][fixture] = "did not run: nor did any test that wants it"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist tells the one that prints."""
    told: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["servers"] = session.config.stash[_outcomes]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Only where pytest-xdist is. A server that failed anywhere is worth more than one that ran somewhere."""
    outcomes: dict[str, str] = node.config.stash[_outcomes]
    told: dict[str, str] = getattr(node, "workeroutput", {}).get("servers", {})
    for fixture, outcome in told.items():
        if _weight(outcome) > _weight(outcomes[fixture]):
            outcomes[fixture] = outcome


def _weight(outcome: str) -> int:
    if outcome == _NOT_WANTED:
        return 0
    return 3 if outcome == _FAILED else 2 if outcome == _RAN else 1


def _asks_for(test: pytest.Function) -> Iterator[str]:
    """By the name of a fixture, or as the parameter of one that picks it by name."""
    yield from test.fixturenames
    if hasattr(test, "callspec"):
        yield from (value for value in test.callspec.params.values() if isinstance(value, str))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """After all other sections."""
    yield
    outcomes = config.stash[_outcomes].items()
    terminalreporter.write_line(
        "servers: " + " · ".join(f"{_NAMES[fixture]} {outcome}" for fixture, outcome in outcomes)
    )


@pytest.fixture(scope="session")
async def moto_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[AwsServer]:
    """Every service; its Batch runs nothing, its SQS has no AWSTraceHeader and no redrive of dead letters."""
    async with _shared(request, moto.run_moto(tmp_path_factory.mktemp("moto"))) as server:
        yield server


@pytest.fixture(scope="session")
async def dynamodb_local(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[AwsServer]:
    """DynamoDB alone, without backups and tags."""
    folder, environment = tmp_path_factory.mktemp("dynamodb-local"), request.config.stash[_own_environment]
    async with _shared(request, dynamodb.run_dynamodb_local(folder, environment)) as server:
        yield server


@pytest.fixture(scope="session")
async def elasticmq(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[AwsServer]:
    """SQS alone."""
    folder, environment = tmp_path_factory.mktemp("elasticmq"), request.config.stash[_own_environment]
    async with _shared(request, queues.run_elasticmq(folder, environment)) as server:
        yield server


@asynccontextmanager
async def _shared(
    request: pytest.FixtureRequest, running: AbstractAsyncContextManager[AwsServer]
) -> AsyncGenerator[AwsServer]:
    """The server while it runs; what became of it is kept for the last lines."""
    assert request.fixturename is not None
    outcomes, fixture = request.config.stash[_outcomes], request.fixturename
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(running)
        except ServerMissing as missing:
            outcomes[fixture] = f"did not run: {missing}"
            pytest.skip(f"{_NAMES[fixture]} {outcomes[fixture]}")
        except Exception:
            outcomes[fixture] = _FAILED
            raise
        outcomes[fixture] = _RAN
        yield server
