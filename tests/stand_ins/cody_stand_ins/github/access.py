"""What a token may do in a repository, and how GitHub refuses the rest."""

from cody_stand_ins.github.identities import Level, Token
from cody_stand_ins.github.records import Repository
from cody_stand_ins.github.refusal import Refusal, not_found
from cody_stand_ins.github.world import World

_SCOPE_FREE = frozenset({"metadata"})


def level_of(world: World, login: str | None, repository: Repository) -> Level:
    """What a person may do here, whatever the token."""
    public = Level.NONE if repository.private else Level.READ
    if login is None:
        return public
    if login.lower() == repository.owner.lower():
        return Level.ADMIN
    return max(public, repository.levels.get(login.lower(), Level.NONE))


def level(world: World, token: Token | None, repository: Repository) -> Level:
    """What whoever asks may do with the files here."""
    public = Level.NONE if repository.private else Level.READ
    if token is None or (token.repositories is not None and repository.key not in token.repositories):
        return public
    if token.installation is not None:
        return max(public, _app_level(token))
    granted = level_of(world, token.login, repository)
    if token.permissions is None:
        return granted if _has_scope(token, repository) else min(granted, public)
    return min(granted, max(public, _app_level(token)))


def require(world: World, token: Token | None, repository: Repository, thing: str, wanted: Level) -> None:
    """Raises `Refusal` unless `thing` ("contents") may be read, or with a `wanted` above READ, be written."""
    found = level(world, token, repository)
    if found is Level.NONE and not _sees(token, repository):
        raise not_found()
    write = wanted > Level.READ
    if write:
        _require_life(repository)
    if token is not None and token.permissions is not None and (write or repository.private):
        _require_granted(token, repository, thing, write=write)
    if (token is None or token.installation is None) and found < wanted:
        raise Refusal(403, "Must have push access to repository." if found else "Not Found")


def require_participation(world: World, token: Token, repository: Repository, thing: str) -> None:
    """For what everybody who reads may do: comment, review, open a pull request from a fork."""
    require(world, token, repository, "metadata", Level.READ)
    _require_life(repository)
    if token.permissions is not None:
        _require_granted(token, repository, thing, write=True)


def require_sight(world: World, token: Token | None, repository: Repository) -> None:
    require(world, token, repository, "metadata", Level.READ)


def _require_life(repository: Repository) -> None:
    if repository.archived:
        raise Refusal(403, "Repository was archived so is read-only.")
    if repository.disabled:
        raise Refusal(403, "Repository access blocked")


def _require_granted(token: Token, repository: Repository, thing: str, *, write: bool) -> None:
    inside = token.repositories is None or repository.key in token.repositories
    if not inside or (thing not in _SCOPE_FREE and not token.allows(thing, write=write)):
        kind = "integration" if token.installation is not None else "personal access token"
        raise Refusal(403, f"Resource not accessible by {kind}")


def _sees(token: Token | None, repository: Repository) -> bool:
    """An App's token sees its repositories even where it may not read their files."""
    if token is None or token.installation is None:
        return False
    return token.repositories is None or repository.key in token.repositories


def _app_level(token: Token) -> Level:
    if token.allows("administration", write=True) and token.allows("contents", write=True):
        return Level.ADMIN
    if token.allows("contents", write=True):
        return Level.WRITE
    return Level.READ if token.allows("contents", write=False) else Level.NONE


def _has_scope(token: Token, repository: Repository) -> bool:
    return "repo" in token.scopes or ("public_repo" in token.scopes and not repository.private)
