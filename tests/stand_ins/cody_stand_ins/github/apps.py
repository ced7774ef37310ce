"""GitHub Apps: who they are, where they are installed, and the tokens of their installations."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt

from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.identities import Token, simple_user
from cody_stand_ins.github.names import maybe_stamp, node_id, stamp
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.refusal import Refusal, not_found
from cody_stand_ins.github.repository_shape import plain_repository
from cody_stand_ins.github.request import Answer
from cody_stand_ins.github.world import App, Installation, World

_LONGEST_JWT = 600
_SKEW = 60
_LASTS = timedelta(hours=1)
_RANKS = {"none": 0, "read": 1, "write": 2, "admin": 3}


def get_app(call: Call) -> Answer:
    app = _app(call)
    links = call.world.links
    return ok(
        {
            "id": app.id,
            "slug": app.slug,
            "node_id": node_id("A", app.id),
            "client_id": f"Iv1.{app.id}",
            "owner": simple_user(call.world.user(app.owner), links),
            "name": app.slug,
            "description": None,
            "external_url": links.html,
            "html_url": f"{links.html}/apps/{app.slug}",
            "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at),
            "permissions": dict(app.permissions),
            "events": [],
            "installations_count": sum(1 for one in call.world.installations.values() if one.app == app.id),
        }
    )


def repository_installation(call: Call) -> Answer:
    app = _app(call)
    full_name = f"{call.where['owner']}/{call.where['repo']}"
    found = _installation_of(call.world, app, call.where["owner"])
    repository = call.world.repositories.get(call.world.moved.get(full_name.lower(), full_name.lower()))
    if repository is None or not _covers(found, repository):
        raise not_found()
    return ok(_shape(call.world, app, found))


def account_installation(call: Call) -> Answer:
    app = _app(call)
    return ok(_shape(call.world, app, _installation_of(call.world, app, call.where["account"])))


def make_token(call: Call) -> Answer:
    app, world, body = _app(call), call.world, call.request.json()
    number = call.where["installation"]
    found = world.installations.get(int(number)) if number.isdecimal() else None
    if found is None or found.app != app.id:
        raise not_found()
    if found.suspended:
        raise Refusal(403, "This installation has been suspended")
    chosen = _chosen(world, found, body)
    token = Token(
        value=f"ghs_{secrets.token_hex(18)}",
        login=f"{app.slug}[bot]",
        identity=f"installation-{found.id}",
        permissions=_narrowed(found.permissions, body.get("permissions")),
        repositories=None if chosen is None else frozenset(one.key for one in chosen),
        installation=found.id,
        expires_at=world.now() + (_LASTS if world.token_lasts is None else timedelta(seconds=world.token_lasts)),
    )
    if chosen is None:
        token.repositories = frozenset(key for key, one in world.repositories.items() if _covers(found, one))
    world.tokens[token.value] = token
    return ok(_token_shape(world, token, chosen), status=201)


def installation_repositories(call: Call) -> Answer:
    token = call.asker
    if token.installation is None:
        raise Refusal(403, "You must authenticate with an installation access token in order to list repositories")
    found = [one for one in call.world.repositories.values() if one.key in (token.repositories or ())]
    page, headers = call.request.page(found)
    shapes = [plain_repository(call.world, one, token) for one in page]
    return ok({"total_count": len(found), "repositories": shapes, "repository_selection": "selected"}, headers=headers)


def _app(call: Call) -> App:
    """Whoever signed the JSON Web Token of this request. Raises `Refusal`."""
    _, _, text = call.request.headers.get("authorization", "").partition(" ")
    try:
        issuer = str(jwt.decode(text, options={"verify_signature": False}).get("iss"))
        app = next(one for one in call.world.apps.values() if issuer in {str(one.id), f"Iv1.{one.id}"})
        claims = jwt.decode(
            text, app.public_key, algorithms=["RS256"], options={"require": ["exp", "iat", "iss"]}, leeway=_SKEW
        )
    except (jwt.PyJWTError, StopIteration) as error:
        raise Refusal(401, "A JSON web token could not be decoded") from error
    _require_short(claims, call.world.now())
    return app


def _require_short(claims: Mapping[str, Any], now: datetime) -> None:
    if claims["exp"] > now.timestamp() + _LONGEST_JWT + _SKEW or claims["exp"] - claims["iat"] > _LONGEST_JWT + _SKEW:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")


def _installation_of(world: World, app: App, account: str) -> Installation:
    for one in world.installations.values():
        if one.app == app.id and one.account.lower() == account.lower():
            return one
    raise not_found()


def _covers(installation: Installation, repository: Repository) -> bool:
    inside = installation.repositories is None or repository.key in installation.repositories
    return inside and repository.owner.lower() == installation.account.lower()


def _chosen(world: World, installation: Installation, body: Mapping[str, Any]) -> Sequence[Repository] | None:
    """The repositories that the token is narrowed to."""
    names, ids = body.get("repositories"), body.get("repository_ids")
    if names is None and ids is None:
        return None
    found = [world.repositories.get(f"{installation.account}/{name}".lower()) for name in names or ()]
    found += [world.of_id(number) for number in ids or ()]
    chosen = [one for one in found if one is not None and _covers(installation, one)]
    if len(chosen) < len(found) or not chosen:
        raise Refusal(422, "There is at least one repository that does not exist or is not accessible.")
    return chosen


def _narrowed(granted: Mapping[str, str], wanted: Mapping[str, str] | None) -> Mapping[str, str]:
    if not wanted:
        return granted
    for thing, level in wanted.items():
        if _RANKS.get(level, 9) > _RANKS[granted.get(thing, "none")]:
            raise Refusal(422, "The permissions requested are not granted to this installation.")
    return {"metadata": "read", **wanted}


def _token_shape(world: World, token: Token, chosen: Sequence[Repository] | None) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "token": token.value,
        "expires_at": maybe_stamp(token.expires_at),
        "permissions": dict(token.permissions or {}),
        "repository_selection": "all" if chosen is None else "selected",
    }
    if chosen is not None:
        shape["repositories"] = [plain_repository(world, one, token) for one in chosen]
    return shape


def _shape(world: World, app: App, installation: Installation) -> dict[str, Any]:
    user, api = world.user(installation.account), world.links.api
    return {
        "id": installation.id,
        "account": simple_user(user, world.links),
        "repository_selection": "all" if installation.repositories is None else "selected",
        "access_tokens_url": f"{api}/app/installations/{installation.id}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{world.links.html}/settings/installations/{installation.id}",
        "app_id": app.id,
        "app_slug": app.slug,
        "target_id": user.id,
        "target_type": user.kind,
        "permissions": dict(installation.permissions),
        "events": [],
        "created_at": stamp(app.created_at),
        "updated_at": stamp(app.created_at),
        "single_file_name": None,
        "suspended_by": simple_user(user, world.links) if installation.suspended else None,
        "suspended_at": stamp(app.created_at) if installation.suspended else None,
    }


ROUTES: Sequence[Route] = (
    Route("GET", "/app", get_app),
    Route("GET", "/repos/{owner}/{repo}/installation", repository_installation),
    Route("GET", "/orgs/{account}/installation", account_installation),
    Route("GET", "/users/{account}/installation", account_installation),
    Route("POST", "/app/installations/{installation}/access_tokens", make_token),
    Route("GET", "/installation/repositories", installation_repositories),
)
