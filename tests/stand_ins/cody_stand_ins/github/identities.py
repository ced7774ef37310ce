"""Who asks, and with what right: users, teams, tokens."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from msgspec import Struct

from cody_stand_ins.github.names import Links, node_id


class Level(IntEnum):
    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


class User(Struct, kw_only=True):
    """`kind` is "User", "Organization" or "Bot"."""

    id: int
    login: str
    kind: str = "User"
    email: str | None = None
    created_at: datetime

    @property
    def address(self) -> str:
        return self.email or f"{self.id}+{self.login}@users.noreply.example.org"


class Team(Struct, kw_only=True):
    id: int
    organization: str
    slug: str
    members: list[str]


class Token(Struct, kw_only=True):
    """`scopes` are those of a classic token. A fine-grained one, or an App's, has `permissions` (contents: write)
    and `repositories` (full names in lower case; None: all). `identity` is what limits are counted for."""

    value: str
    login: str
    identity: str
    scopes: tuple[str, ...] = ()
    permissions: Mapping[str, str] | None = None
    repositories: frozenset[str] | None = None
    installation: int | None = None
    expires_at: datetime | None = None

    def allows(self, thing: str, *, write: bool) -> bool:
        """Whether the token itself has the right; its user may still lack it."""
        if self.permissions is None:
            return thing != "workflows" or "workflow" in self.scopes
        granted = self.permissions.get(thing, "none")
        return granted in {"write", "admin"} or (granted == "read" and not write)


def simple_user(user: User, links: Links) -> dict[str, Any]:
    url = f"{links.api}/users/{user.login}"
    return {
        "login": user.login,
        "id": user.id,
        "node_id": node_id("U", user.id),
        "avatar_url": f"{links.html}/avatars/u/{user.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{links.html}/{user.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": user.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def simple_team(team: Team, links: Links) -> dict[str, Any]:
    url = f"{links.api}/organizations/1/team/{team.id}"
    return {
        "id": team.id,
        "node_id": node_id("T", team.id),
        "url": url,
        "members_url": f"{url}/members{{/member}}",
        "name": team.slug,
        "description": None,
        "permission": "pull",
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "html_url": f"{links.html}/orgs/{team.organization}/teams/{team.slug}",
        "repositories_url": f"{url}/repos",
        "slug": team.slug,
        "type": "organization",
        "organization_id": 1,
        "parent": None,
    }
