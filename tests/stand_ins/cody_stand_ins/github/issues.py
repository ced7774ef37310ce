"""What pull requests share with issues: comments, labels, assignees, milestones."""

from collections.abc import Sequence
from typing import Any

from cody_stand_ins.github.call import Call, Route, listed, ok
from cody_stand_ins.github.identities import Level, simple_user
from cody_stand_ins.github.names import maybe_stamp, node_id, stamp
from cody_stand_ins.github.pull_shape import association, label_shape, milestone_shape, simple_pull
from cody_stand_ins.github.pushes import tell, tell_pull
from cody_stand_ins.github.records import Comment, Label, Pull, Repository
from cody_stand_ins.github.refusal import Refusal, invalid, not_found
from cody_stand_ins.github.request import Answer
from cody_stand_ins.github.world import World


def list_comments(call: Call) -> Answer:
    repository, pull = call.pull
    return listed(call, [comment_shape(call.world, repository, pull, comment) for comment in pull.comments])


def add_comment(call: Call) -> Answer:
    repository, pull = call.pull
    call.may_take_part(repository, "issues")
    body = call.request.json().get("body")
    if not isinstance(body, str) or not body:
        raise invalid("IssueComment", "body cannot be blank", field="body", code="missing_field")
    shape = comment_shape(call.world, repository, pull, comment(call.world, repository, pull, call.user.login, body))
    return ok(shape, status=201, headers={"location": shape["url"]})


def change_comment(call: Call) -> Answer:
    repository = call.repository
    call.may_take_part(repository, "issues")
    for pull in repository.pulls.values():
        for one in pull.comments:
            if str(one.id) == call.where["comment"]:
                return _changed(call, repository, pull, one)
    raise not_found()


def list_labels(call: Call) -> Answer:
    repository, pull = call.pull
    return listed(call, _labels(call.world, repository, pull))


def add_labels(call: Call) -> Answer:
    repository, pull = call.pull
    call.may(repository, "issues", Level.TRIAGE)
    body = call.request.json()
    for name in _names(body.get("labels", body.get("", []))):
        add_label(call.world, repository, pull, name, call.user.login)
    return ok(_labels(call.world, repository, pull))


def remove_label(call: Call) -> Answer:
    repository, pull = call.pull
    call.may(repository, "issues", Level.TRIAGE)
    name = call.where["name"]
    if name not in pull.labels:
        raise Refusal(404, "Label does not exist")
    drop_label(call.world, repository, pull, name, call.user.login)
    return ok(_labels(call.world, repository, pull))


def add_assignees(call: Call) -> Answer:
    """Who cannot be assigned is left out in silence, as GitHub does it."""
    repository, pull = call.pull
    call.may(repository, "issues", Level.TRIAGE)
    for login in call.request.json().get("assignees", []):
        if login.lower() in call.world.users and login not in pull.assignees:
            pull.assignees.append(login)
    return ok(issue_shape(call.world, repository, pull), status=201)


def get_issue(call: Call) -> Answer:
    repository, pull = call.pull
    return ok(issue_shape(call.world, repository, pull))


def change_issue(call: Call) -> Answer:
    repository, pull = call.pull
    call.may(repository, "issues", Level.TRIAGE)
    body = call.request.json()
    if "milestone" in body:
        if body["milestone"] is not None and body["milestone"] not in repository.milestones:
            raise invalid("Issue", "", field="milestone", code="invalid")
        pull.milestone = body["milestone"]
    pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
    return ok(issue_shape(call.world, repository, pull))


def list_milestones(call: Call) -> Answer:
    repository = call.repository
    return listed(call, [milestone_shape(call.world, repository, one) for one in repository.milestones.values()])


def comment(world: World, repository: Repository, pull: Pull, login: str, body: str) -> Comment:
    now = world.now()
    new = Comment(id=world.new_id(), login=login, body=body, created_at=now, updated_at=now)
    pull.comments.append(new)
    shapes = {"issue": issue_shape(world, repository, pull), "comment": comment_shape(world, repository, pull, new)}
    tell(world, "issue_comment", {"action": "created", **shapes}, repository, login)
    return new


def add_label(world: World, repository: Repository, pull: Pull, name: str, login: str) -> None:
    repository.labels.setdefault(name, Label(id=world.new_id(), name=name))
    if name not in pull.labels:
        pull.labels.append(name)
        shape = label_shape(world, repository, repository.labels[name])
        tell_pull(world, repository, pull, "labeled", login, label=shape)


def drop_label(world: World, repository: Repository, pull: Pull, name: str, login: str) -> None:
    pull.labels.remove(name)
    tell_pull(
        world, repository, pull, "unlabeled", login, label=label_shape(world, repository, repository.labels[name])
    )


def comment_shape(world: World, repository: Repository, pull: Pull, one: Comment) -> dict[str, Any]:
    api = f"{world.links.api}/repos/{repository.full_name}"
    html = f"{world.links.html}/{repository.full_name}/pull/{pull.number}"
    return {
        "id": one.id,
        "node_id": node_id("IC", one.id),
        "url": f"{api}/issues/comments/{one.id}",
        "html_url": f"{html}#issuecomment-{one.id}",
        "issue_url": f"{api}/issues/{pull.number}",
        "body": one.body,
        "user": simple_user(world.user(one.login), world.links),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "author_association": association(world, repository, one.login),
        "performed_via_github_app": None,
    }


def issue_shape(world: World, repository: Repository, pull: Pull) -> dict[str, Any]:
    short = simple_pull(world, repository, pull)
    url = short["issue_url"]
    kept = ("id", "html_url", "number", "state", "title", "body", "user", "labels", "assignee", "assignees")
    more = ("milestone", "locked", "active_lock_reason", "closed_at", "created_at", "updated_at", "author_association")
    pull_request = {name: short[name] for name in ("url", "html_url", "diff_url", "patch_url")}
    return {
        **{name: short[name] for name in (*kept, *more)},
        "node_id": short["node_id"],
        "url": url,
        "repository_url": f"{world.links.api}/repos/{repository.full_name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "comments": len(pull.comments),
        "draft": pull.draft,
        "pull_request": {**pull_request, "merged_at": maybe_stamp(pull.merged_at)},
    }


def _changed(call: Call, repository: Repository, pull: Pull, one: Comment) -> Answer:
    if one.login != call.user.login:
        call.may(repository, "issues", Level.WRITE)
    one.body, one.updated_at = str(call.request.json().get("body", "")), call.world.now()
    return ok(comment_shape(call.world, repository, pull, one))


def _labels(world: World, repository: Repository, pull: Pull) -> list[dict[str, Any]]:
    return [label_shape(world, repository, repository.labels[name]) for name in pull.labels]


def _names(labels: list[Any]) -> list[str]:
    names: list[str] = [one if isinstance(one, str) else one.get("name", "") for one in labels]
    if not all(names):
        raise invalid("Label", "", field="name", code="missing_field")
    return names


ROUTES: Sequence[Route] = (
    Route("GET", "/repos/{owner}/{repo}/issues/{number}/comments", list_comments),
    Route("POST", "/repos/{owner}/{repo}/issues/{number}/comments", add_comment, content=True),
    Route("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment}", change_comment, content=True),
    Route("GET", "/repos/{owner}/{repo}/issues/{number}/labels", list_labels),
    Route("POST", "/repos/{owner}/{repo}/issues/{number}/labels", add_labels, content=True),
    Route("DELETE", "/repos/{owner}/{repo}/issues/{number}/labels/{name}", remove_label, content=True),
    Route("POST", "/repos/{owner}/{repo}/issues/{number}/assignees", add_assignees, content=True),
    Route("GET", "/repos/{owner}/{repo}/issues/{number}", get_issue),
    Route("PATCH", "/repos/{owner}/{repo}/issues/{number}", change_issue, content=True),
    Route("GET", "/repos/{owner}/{repo}/milestones", list_milestones),
)
