import re

import pytest

from cody_jobs.errors import JobRejected
from cody_jobs.ports import Role, TokenStore


async def test_a_token_is_found_by_its_secret_alone(token_store: TokenStore) -> None:
    secret = await token_store.create_token("ci", Role.SUBMITTER)

    assert re.fullmatch(r"cody_[A-Za-z0-9_-]{43}", secret)
    found = await token_store.find_token(secret)
    assert found is not None
    assert (found.name, found.role, found.revoked_at) == ("ci", Role.SUBMITTER, None)
    for wrong in ("", "ci", secret[:-1], secret + "x", secret.swapcase(), "cody_\ud800\0"):
        assert await token_store.find_token(wrong) is None


async def test_each_token_has_a_secret_of_its_own(token_store: TokenStore) -> None:
    secrets = {await token_store.create_token(f"t{number}", Role.VIEWER) for number in range(20)}

    assert len(secrets) == 20


async def test_a_name_is_taken_once_and_for_all(token_store: TokenStore) -> None:
    first = await token_store.create_token("ci", Role.VIEWER)

    with pytest.raises(JobRejected, match="ci"):
        await token_store.create_token("ci", Role.ADMIN)
    await token_store.revoke_token("ci")
    with pytest.raises(JobRejected, match="ci"):
        await token_store.create_token("ci", Role.ADMIN)
    assert await token_store.find_token(first) is None


async def test_a_revoked_token_is_listed_but_not_found(token_store: TokenStore) -> None:
    kept = await token_store.create_token("kept", Role.ADMIN)
    secret = await token_store.create_token("gone", Role.VIEWER)

    assert await token_store.revoke_token("gone")
    assert await token_store.find_token(secret) is None
    assert await token_store.find_token(kept) is not None
    listed = await token_store.list_tokens()
    assert [(token.name, token.role, token.revoked_at is None) for token in listed] == [
        ("kept", Role.ADMIN, True),
        ("gone", Role.VIEWER, False),
    ]


async def test_revoking_again_changes_nothing(token_store: TokenStore) -> None:
    await token_store.create_token("gone", Role.VIEWER)
    await token_store.revoke_token("gone")
    [before] = await token_store.list_tokens()

    assert await token_store.revoke_token("gone")
    assert await token_store.list_tokens() == [before]


async def test_an_unknown_token_cannot_be_revoked(token_store: TokenStore) -> None:
    assert not await token_store.revoke_token("nobody")
    assert await token_store.list_tokens() == []


async def test_no_secret_is_stored(token_store: TokenStore) -> None:
    secret = await token_store.create_token("ci", Role.ADMIN)

    assert secret not in repr(await token_store.list_tokens())
