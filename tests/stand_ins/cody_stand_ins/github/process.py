"""The stand-in as a child process, for tests and demos."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from cody_stand_ins.child import child_program
from cody_stand_ins.github.faults import Fault, Faults
from cody_stand_ins.github.limits import LimitSettings
from cody_stand_ins.github.log import Logged, Stats
from cody_stand_ins.github.stage import Run
from cody_stand_ins.github.webhooks import Delivery


class GitHubStandIn:
    """A running stand-in. `url` is where repositories are cloned from, `api` is the base URL of REST as GitHub
    Enterprise has it (`url` itself works too); `pid` its process."""

    def __init__(self, url: str, pid: int, http: httpx.AsyncClient) -> None:
        self.url = url
        self.api = f"{url}/api/v3"
        self.pid = pid
        self._http = http

    async def add_user(self, login: str, **more: Any) -> None:
        """`kind` ("Organization"), `email`."""
        await self._post("users", login=login, **more)

    async def add_team(self, organization: str, slug: str, *members: str) -> None:
        await self._post("teams", organization=organization, slug=slug, members=members)

    async def add_token(self, value: str, login: str, **more: Any) -> None:
        """`scopes`, or `permissions` and `repositories`; `lasts`, in seconds: see `AddToken`."""
        await self._post("tokens", value=value, login=login, **more)

    async def add_repository(self, name: str, **more: Any) -> None:
        """`source` or `files`, `levels`, `private`, …: see `AddRepository`, in camelCase."""
        await self._post("repositories", name=name, **{key: _plain(value) for key, value in more.items()})

    async def change_repository(self, name: str, **changes: Any) -> None:
        """Fields of `AddRepository`, in camelCase."""
        await self._post("change", name=name, changes=changes)

    async def move_repository(self, name: str, to: str) -> None:
        await self._post("change", name=name, movedTo=to)

    async def remove_repository(self, name: str) -> None:
        await self._post("remove", name=name)

    async def protect(self, name: str, branch: str = "main", **rules: Any) -> None:
        """`restrictPushes`, `requiredReviews`, `requiredChecks`, `strict`."""
        await self._post("protect", name=name, branch=branch, rules=rules)

    async def unprotect(self, name: str, branch: str = "main") -> None:
        await self._post("protect", name=name, branch=branch, rules=None)

    async def commit(
        self, name: str, branch: str, files: Mapping[str, str | None], *, login: str = "human", **more: Any
    ) -> str:
        """A human pushes; the id of the commit. A branch that is not there yet starts at `start` or the default."""
        answer = await self._post("commit", name=name, branch=branch, files=files, login=login, **more)
        return answer["sha"]

    async def act(self, name: str, number: int, action: str, *, login: str = "human", **more: Any) -> None:
        """A human's act on a pull request: merge, close, reopen, comment, label, unlabel, review, ready, draft."""
        await self._post("act", name=name, number=number, action=action, login=login, **more)

    async def set_checks(self, name: str, number: int, *runs: Run, statuses: Mapping[str, str] | None = None) -> None:
        """Of the head of a pull request."""
        await self._post("checks", name=name, number=number, runs=runs, statuses=statuses or {})

    async def add_app(self, number: int, slug: str, public_key: str, permissions: Mapping[str, str]) -> None:
        """The key in PEM."""
        await self._post("apps", id=number, slug=slug, publicKey=public_key, permissions=permissions)

    async def install(self, app: int, account: str, **more: Any) -> int:
        """`repositories`, `permissions`, `suspended`; the installation's id."""
        answer = await self._post("install", app=app, account=account, **more)
        return answer["id"]

    async def set_token_life(self, seconds: float | None) -> None:
        """Of the tokens of installations that are made from now on."""
        await self._post("token-life", seconds=seconds)

    async def set_fork_polls(self, polls: int) -> None:
        await self._post("forks", polls=polls)

    async def set_faults(self, *faults: Fault, seed: int = 0) -> None:
        """Replaces all that was set before."""
        await self._send("faults", Faults(faults=faults, seed=seed))

    async def set_limits(self, **settings: Any) -> None:
        """Fields of `LimitSettings`, the others as GitHub has them; every count starts at zero."""
        await self._send("limits", LimitSettings(**settings))

    async def set_webhook(self, url: str, secret: str, *events: str) -> None:
        await self._post("webhook", url=url, secret=secret, events=events)

    async def deliveries(self) -> Sequence[Delivery]:
        return msgspec.json.decode(await self._get("deliveries"), type=list[Delivery])

    async def redeliver(self, delivery: str) -> None:
        await self._post("redeliver", id=delivery)

    async def stats(self) -> Stats:
        return msgspec.json.decode(await self._get("stats"), type=Stats)

    async def log(self) -> Sequence[Logged]:
        return msgspec.json.decode(await self._get("log"), type=list[Logged])

    async def pulls(self) -> Sequence[Mapping[str, Any]]:
        """Every pull request of every repository, as in GitHub's lists."""
        return msgspec.json.decode(await self._get("pulls"))

    async def reset(self) -> None:
        """No faults, GitHub's limits, all counts at zero, and everything forgotten."""
        await self._post("reset")

    async def _get(self, what: str) -> bytes:
        return (await self._http.get(f"/stand-in/{what}")).raise_for_status().content

    async def _post(self, what: str, **body: Any) -> Any:
        return await self._send(what, body)

    async def _send(self, what: str, body: object) -> Any:
        answer = await self._http.post(f"/stand-in/{what}", content=msgspec.json.encode(body))
        if answer.is_error:
            raise ValueError(f"{what}: {answer.text}")
        return answer.json()


@asynccontextmanager
async def github_stand_in(folder: Path, *, options: Sequence[str] = ()) -> AsyncGenerator[GitHubStandIn]:
    """Start one on loopback, on a free port, with its repositories in the folder, and stop it at the end. It ends with
    us even if we are killed: it watches its standard input."""
    arguments = ["--folder", str(folder), *options]
    async with (
        child_program("cody_stand_ins.github", arguments) as child,
        httpx.AsyncClient(base_url=child.url, trust_env=False, timeout=60) as http,
    ):
        yield GitHubStandIn(child.url, child.pid, http)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
