"""What the API leaves in the data folder of a machine of its own."""

import os
import stat
from pathlib import Path

import msgspec

from cody_api.embedded import ADDRESS_FILE, TOKEN_FILE, Address, ensure_first_token, published_address
from cody_backends.open_backends import Backends
from cody_jobs.ports import ApiToken, Role


async def first_token(backends: Backends, folder: Path) -> ApiToken | None:
    await ensure_first_token(backends.tokens, folder)
    secret = (folder / TOKEN_FILE).read_text().strip()
    return await backends.tokens.find_token(secret)


async def test_the_first_token_is_made_once_and_only_its_owner_reads_it(backends: Backends, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    token = await first_token(backends, folder)
    assert token is not None
    assert (token.name, token.role) == ("local", Role.ADMIN)
    assert stat.S_IMODE((folder / TOKEN_FILE).stat().st_mode) == 0o600
    before = (folder / TOKEN_FILE).read_bytes()
    await ensure_first_token(backends.tokens, folder)
    assert (folder / TOKEN_FILE).read_bytes() == before
    assert len(await backends.tokens.list_tokens()) == 1
    assert [path.name for path in folder.iterdir()] == [TOKEN_FILE]


async def test_a_lost_file_is_replaced_and_its_token_revoked(backends: Backends, tmp_path: Path) -> None:
    await ensure_first_token(backends.tokens, tmp_path)
    lost = (tmp_path / TOKEN_FILE).read_text().strip()
    (tmp_path / TOKEN_FILE).unlink()
    token = await first_token(backends, tmp_path)
    assert token is not None
    assert token.name == "local-2"
    assert await backends.tokens.find_token(lost) is None
    (tmp_path / TOKEN_FILE).write_text("cody_not-a-token")
    again = await first_token(backends, tmp_path)
    assert again is not None
    assert again.name == "local-3"
    assert [each.name for each in await backends.tokens.list_tokens() if each.revoked_at is None] == ["local-3"]


async def test_other_tokens_are_left_alone(backends: Backends, tmp_path: Path) -> None:
    secrets = [await backends.tokens.create_token(name, Role.ADMIN) for name in ("alice", "local-network", "locale")]
    await ensure_first_token(backends.tokens, tmp_path)
    assert all([await backends.tokens.find_token(secret) for secret in secrets])


async def test_a_token_with_too_low_a_role_is_not_enough(backends: Backends, tmp_path: Path) -> None:
    (tmp_path / TOKEN_FILE).write_text(await backends.tokens.create_token("eve", Role.VIEWER))
    token = await first_token(backends, tmp_path)
    assert token is not None
    assert token.role is Role.ADMIN


async def test_the_address_is_there_while_the_api_serves(tmp_path: Path) -> None:
    path = tmp_path / ADDRESS_FILE
    async with published_address(tmp_path, "http://127.0.0.1:8080"):
        assert msgspec.json.decode(path.read_bytes(), type=Address) == Address(
            url="http://127.0.0.1:8080", pid=os.getpid()
        )
    assert not path.exists()


async def test_the_address_of_another_api_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / ADDRESS_FILE
    async with published_address(tmp_path, "http://127.0.0.1:8080"):
        path.write_text('{"url":"http://127.0.0.1:1","pid":1}')
    assert path.exists()
