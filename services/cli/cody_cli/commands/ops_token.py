"""`cody-batch ops token`: make, list and revoke API tokens."""

from collections.abc import Mapping

import click

from cody_cli.failures import CommandFailed
from cody_cli.output import json_option, open_console, print_json, run_async, tell
from cody_cli.stores import open_stores
from cody_jobs.ports.token_store import ApiToken, Role


@click.group()
def token() -> None:
    """Make, list and revoke API tokens. Only their hashes are stored."""


@token.command()
@click.option("--name", required=True, help="Whose token it is; jobs say who submitted them.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.SUBMITTER.value,
    show_default=True,
    help="viewer reads, submitter also submits and cancels, admin may do everything.",
)
@json_option
@click.pass_obj
def create(environment: Mapping[str, str], *, name: str, role: str, as_json: bool) -> None:
    """Make a token and print it: this once, it is stored nowhere."""
    secret = run_async(_create(environment, name, Role(role)))
    if as_json:
        print_json({"name": name, "role": role, "token": secret})
        return
    tell(f"Token {name!r} ({role}). It is shown only now; programs send it as `Authorization: Bearer …`:")
    click.echo(secret)


@token.command("list")
@json_option
@click.pass_obj
def list_tokens(environment: Mapping[str, str], *, as_json: bool) -> None:
    """List the tokens' names and roles."""
    tokens = run_async(_list(environment))
    if as_json:
        print_json([_as_json(token) for token in tokens])
        return
    _print_table(tokens)


@token.command()
@click.argument("name")
@json_option
@click.pass_obj
def revoke(environment: Mapping[str, str], *, name: str, as_json: bool) -> None:
    """Make a token useless, within seconds."""
    if not run_async(_revoke(environment, name)):
        raise CommandFailed(f"there is no token {name!r} in use", hint="cody-batch ops token list")
    if as_json:
        print_json({"name": name, "revoked": True})
        return
    tell(f"Token {name!r} is revoked.")


async def _create(environment: Mapping[str, str], name: str, role: Role) -> str:
    async with open_stores(environment) as stores:
        return await stores.tokens.create_token(name, role)


async def _list(environment: Mapping[str, str]) -> list[ApiToken]:
    async with open_stores(environment) as stores:
        return await stores.tokens.list_tokens()


async def _revoke(environment: Mapping[str, str], name: str) -> bool:
    async with open_stores(environment) as stores:
        return await stores.tokens.revoke_token(name)


def _as_json(token: ApiToken) -> dict[str, object]:
    return {"name": token.name, "role": token.role, "createdAt": token.created_at, "revokedAt": token.revoked_at}


def _print_table(tokens: list[ApiToken]) -> None:
    from cody_cli.tables import plain_table

    table = plain_table("name", "role", "created", "revoked")
    for token in tokens:
        revoked = f"{token.revoked_at:%Y-%m-%d %H:%M}" if token.revoked_at else ""
        table.add_row(token.name, token.role, f"{token.created_at:%Y-%m-%d %H:%M}", revoked)
    open_console().print(table)
