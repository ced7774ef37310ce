"""A key or token is looked for in everything that a system leaves behind: logs, database, files, answers, spans."""

from pathlib import Path

from cody_backends.open_backends import open_backends
from cody_backends.postgres.database import Database
from cody_backends.settings import BackendSettings
from cody_jobs.ports import Role
from cody_stand_ins.claude import ClaudeStandIn, Fault, FaultKind, claude_stand_in
from tests.story.otlp_receiver import otlp_receiver
from tests.story.system import System, running_system
from tests.support.repositories import make_repository
from tests.support.wait import wait_until

KEY = "sk-ant-api03-not-a-real-key-but-a-telltale-one"
PROMPT = "Rewrite Optional[X] to X | None."


async def test_neither_key_nor_token_is_found_anywhere(
    tmp_path: Path, database_url: str, backend_settings: BackendSettings, database: Database
) -> None:
    repositories = tmp_path / "repositories"
    for name in ("web", "api"):
        make_repository(repositories / "acme" / name, {f"{name}.py": b"x: Optional[int] = None\n"})
    async with open_backends(backend_settings) as backends:
        token = await backends.tokens.create_token("integration", Role.ADMIN)
    with otlp_receiver() as collector:
        async with claude_stand_in(key=KEY) as stand_in:
            environment = {
                "DATABASE_URL": database_url,
                "REPOSITORIES_ROOT": str(repositories),
                "CLAUDE_API_KEY": KEY,
                "CLAUDE_BASE_URL": stand_in.url,
                "API_AUTH": "tokens",
                "LOG_LEVEL": "DEBUG",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            }
            async with running_system(tmp_path, environment) as system:
                system.client.headers["authorization"] = f"Bearer {token}"
                answers = await run_well_and_badly(system, stand_in)
                await wait_until(lambda: len(collector.spans) > 10, "spans have come in")
    secrets = (KEY, token, token.removeprefix("cody_"))
    kept = await everything_in(database)
    left = all_files(tmp_path)
    spans = repr(collector.spans)
    assert "Optional" in kept, "the search does not see what is stored"
    for secret in secrets:
        assert secret not in answers
        assert secret not in kept
        assert secret.encode() not in left
        assert secret not in spans


async def run_well_and_badly(system: System, stand_in: ClaudeStandIn) -> str:
    """A job that succeeds and one whose key is refused; everything that the api says of them."""
    good = await system.submit(["acme/web"], PROMPT)
    assert (await system.ended(good))["status"] == "SUCCEEDED"
    await stand_in.set_faults(Fault(kind=FaultKind.KEY_REFUSED))
    bad = await system.submit(["acme/api"], PROMPT)
    assert (await system.ended(bad))["failure"]["code"] == "claude_key_refused"
    paths = [
        *(
            f"/jobs/{job}{rest}"
            for job in (good, bad)
            for rest in ("", "/repositories", "/events?lastEventId=0", "/trace")
        ),
        f"/jobs/{good}/repositories/acme/web/claude-thread",
        f"/jobs/{good}/repositories/acme/web/diff",
    ]
    return "\n".join([(await system.client.get(path)).text for path in paths])


def all_files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def everything_in(database: Database) -> str:
    """Every row of every table, as text."""
    async with database.connection() as connection:
        tables = await connection.fetch(
            "select table_name from information_schema.tables where table_schema = 'public'"
        )
        rows = [await connection.fetch(f'select t::text from "{table["table_name"]}" t') for table in tables]
    return "\n".join(str(row[0]) for found in rows for row in found)
