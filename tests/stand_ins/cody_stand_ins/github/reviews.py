"""Reviews, and who is asked for one."""

from collections.abc import Sequence
from typing import Any

from cody_stand_ins.github.call import Call, Route, listed, ok
from cody_stand_ins.github.identities import Level, simple_user
from cody_stand_ins.github.merge import settle
from cody_stand_ins.github.names import node_id, stamp
from cody_stand_ins.github.pull_shape import association, simple_pull
from cody_stand_ins.github.pushes import tell, tell_pull
from cody_stand_ins.github.records import Pull, Repository, Review
from cody_stand_ins.github.refusal import Refusal
from cody_stand_ins.github.request import Answer
from cody_stand_ins.github.world import World

_EVENTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
_UNKNOWN = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not."


def list_reviews(call: Call) -> Answer:
    repository, pull = call.pull
    return listed(call, [_shape(call.world, repository, pull, one) for one in pull.reviews])


def add_review(call: Call) -> Answer:
    repository, pull = call.pull
    call.may_take_part(repository, "pull_requests")
    body = call.request.json()
    state = _EVENTS.get(str(body.get("event", "COMMENT")))
    if state is None:
        raise Refusal(422, "Unprocessable Entity")
    if state != "COMMENTED" and pull.login == call.user.login:
        raise Refusal(
            422, f"Can not {'approve' if state == 'APPROVED' else 'request changes on'} your own pull request"
        )
    made = review(call.world, repository, pull, call.user.login, state, str(body.get("body", "")))
    return ok(_shape(call.world, repository, pull, made))


def ask_reviewers(call: Call) -> Answer:
    repository, pull = call.pull
    call.may(repository, "pull_requests", Level.TRIAGE)
    users, teams = _wanted(call)
    if not all(_may_review(call.world, repository, pull, login) for login in users):
        raise Refusal(422, _UNKNOWN)
    if not all((repository.owner.lower(), slug) in call.world.teams for slug in teams):
        raise Refusal(422, _UNKNOWN)
    for login in users:
        _add(pull.reviewers, call.world.user(login).login)
    for slug in teams:
        _add(pull.teams, slug)
    tell_pull(call.world, repository, pull, "review_requested", call.user.login)
    return ok(simple_pull(call.world, repository, pull), status=201)


def drop_reviewers(call: Call) -> Answer:
    repository, pull = call.pull
    call.may(repository, "pull_requests", Level.TRIAGE)
    users, teams = _wanted(call)
    pull.reviewers = [login for login in pull.reviewers if login not in users]
    pull.teams = [slug for slug in pull.teams if slug not in teams]
    return ok(simple_pull(call.world, repository, pull))


def review(world: World, repository: Repository, pull: Pull, login: str, state: str, body: str) -> Review:
    made = Review(
        id=world.new_id(), login=login, state=state, body=body, commit=pull.head_sha, submitted_at=world.now()
    )
    pull.reviews.append(made)
    pull.reviewers = [one for one in pull.reviewers if one.lower() != login.lower()]
    shape = {**_shape(world, repository, pull, made), "state": state.lower()}
    payload = {"action": "submitted", "review": shape, "pull_request": simple_pull(world, repository, pull)}
    tell(world, "pull_request_review", payload, repository, login)
    settle(world, repository, pull)
    return made


def _shape(world: World, repository: Repository, pull: Pull, one: Review) -> dict[str, Any]:
    url = f"{world.links.api}/repos/{repository.full_name}/pulls/{pull.number}"
    html = f"{world.links.html}/{repository.full_name}/pull/{pull.number}#pullrequestreview-{one.id}"
    return {
        "id": one.id,
        "node_id": node_id("PRR", one.id),
        "user": simple_user(world.user(one.login), world.links),
        "body": one.body,
        "state": one.state,
        "html_url": html,
        "pull_request_url": url,
        "_links": {"html": {"href": html}, "pull_request": {"href": url}},
        "submitted_at": stamp(one.submitted_at),
        "commit_id": one.commit,
        "author_association": association(world, repository, one.login),
    }


def _wanted(call: Call) -> tuple[Sequence[str], Sequence[str]]:
    body = call.request.json()
    return body.get("reviewers", []), body.get("team_reviewers", [])


def _may_review(world: World, repository: Repository, pull: Pull, login: str) -> bool:
    if login.lower() == pull.login.lower():
        raise Refusal(422, "Review cannot be requested from pull request author.")
    known = login.lower() in world.users
    return known and (login.lower() == repository.owner.lower() or login.lower() in repository.levels)


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


ROUTES: Sequence[Route] = (
    Route("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews", list_reviews),
    Route("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews", add_review, content=True),
    Route("POST", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", ask_reviewers, content=True),
    Route("DELETE", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", drop_reviewers, content=True),
)
