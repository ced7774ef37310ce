"""`/stand-in/...`: tests set the stage, play the humans, switch on faults and count."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from cody_stand_ins.github import humans, staging
from cody_stand_ins.github.faults import FaultChooser, Faults
from cody_stand_ins.github.limits import Limits, LimitSettings
from cody_stand_ins.github.log import Logged, Stats
from cody_stand_ins.github.pull_shape import simple_pull
from cody_stand_ins.github.refusal import Refusal
from cody_stand_ins.github.request import Answer, Request
from cody_stand_ins.github.stage import (
    Act,
    AddApp,
    AddRepository,
    AddTeam,
    AddToken,
    AddUser,
    ChangeRepository,
    CommitFiles,
    Forks,
    Install,
    Protect,
    RemoveRepository,
    SetChecks,
    TokenLife,
)
from cody_stand_ins.github.webhooks import Webhook, Webhooks
from cody_stand_ins.github.world import World

_WISHES: Mapping[str, tuple[type, Callable[[World, Any], Any]]] = {
    "users": (AddUser, staging.add_user),
    "teams": (AddTeam, staging.add_team),
    "tokens": (AddToken, staging.add_token),
    "repositories": (AddRepository, staging.add_repository),
    "change": (ChangeRepository, staging.change_repository),
    "remove": (RemoveRepository, staging.remove_repository),
    "protect": (Protect, staging.protect),
    "apps": (AddApp, staging.add_app),
    "install": (Install, staging.install),
    "token-life": (TokenLife, staging.set_token_life),
    "forks": (Forks, staging.set_forks),
    "commit": (CommitFiles, humans.commit_files),
    "act": (Act, humans.act),
    "checks": (SetChecks, humans.say_checks),
}


class Stage(Protocol):
    """What can be set, of the server."""

    world: World
    limits: Limits
    faults: FaultChooser
    log: list[Logged]
    webhooks: Webhooks

    def start_over(self) -> None: ...
    def new_limits(self, settings: LimitSettings) -> None: ...


class Control:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def answer(self, request: Request) -> Answer:
        what = request.path.removeprefix("/stand-in/")
        try:
            return Answer(body=self._told(what, request) if request.method == "GET" else self._done(what, request))
        except Refusal as refusal:
            return Answer(status=refusal.status, body=refusal.body)
        except (ValueError, KeyError) as error:
            return Answer(status=400, body={"message": repr(error)})

    def _told(self, what: str, request: Request) -> Any:
        match what:
            case "stats":
                return self._stats()
            case "log":
                return self._stage.log
            case "pulls":
                return self._pulls()
            case "deliveries":
                return list(self._stage.webhooks.deliveries.values())
            case _:
                raise Refusal(404, "the stand-in tells stats, log, pulls and deliveries")

    def _done(self, what: str, request: Request) -> Any:
        if what in _WISHES:
            kind, carry_out = _WISHES[what]
            return carry_out(self._stage.world, msgspec.json.decode(request.body, type=kind)) or {}
        match what:
            case "faults":
                self._stage.faults = FaultChooser(msgspec.json.decode(request.body, type=Faults))
            case "limits":
                self._stage.new_limits(msgspec.json.decode(request.body, type=LimitSettings))
            case "webhook":
                self._stage.webhooks.webhook = msgspec.json.decode(request.body, type=Webhook)
            case "redeliver":
                self._stage.webhooks.again(request.json()["id"])
            case "reset":
                self._stage.start_over()
            case _:
                raise Refusal(404, f"the stand-in cannot do {what}")
        return {}

    def _stats(self) -> Stats:
        log = self._stage.log
        admitted = [one for one in log if one.content and not one.limited]
        created = [one for one in log if one.method == "POST" and one.status in {201, 202}]
        repositories = self._stage.world.repositories.values()
        return Stats(
            requests=len(log),
            pulls=sum(len(repository.pulls) for repository in repositories),
            forks=sum(1 for repository in repositories if repository.parent is not None),
            pushes=self._stage.world.pushed,
            comments=sum(1 for one in created if one.path.endswith("/comments")),
            content=len(admitted),
            limited=sum(1 for one in log if one.limited),
            asked_while_limited=self._stage.limits.asked_while_limited(),
            locked_out=self._stage.limits.locked_out(),
            content_times=[one.at for one in admitted],
        )

    def _pulls(self) -> list[dict[str, Any]]:
        world = self._stage.world
        return [
            simple_pull(world, repository, pull)
            for repository in world.repositories.values()
            for pull in repository.pulls.values()
        ]
