"""Checks and statuses of commits, and the logs of their jobs."""

from collections.abc import Sequence
from typing import Any

from cody_stand_ins.github import bare
from cody_stand_ins.github.call import Call, Route, ok
from cody_stand_ins.github.identities import Level
from cody_stand_ins.github.merge import settle
from cody_stand_ins.github.names import node_id, stamp
from cody_stand_ins.github.pull_state import rollup
from cody_stand_ins.github.pushes import tell
from cody_stand_ins.github.records import CheckRun, CommitStatus, Repository
from cody_stand_ins.github.refusal import Refusal, not_found
from cody_stand_ins.github.repository_shape import minimal_repository
from cody_stand_ins.github.request import Answer
from cody_stand_ins.github.stage import Run, SetChecks
from cody_stand_ins.github.world import World


def list_check_runs(call: Call) -> Answer:
    repository = call.repository
    call.may(repository, "checks", Level.READ)
    commit = _commit(call, repository)
    runs, headers = call.request.page(repository.check_runs.get(commit, []))
    shapes = [run_shape(call.world, repository, commit, run) for run in runs]
    return ok({"total_count": len(repository.check_runs.get(commit, [])), "check_runs": shapes}, headers=headers)


def combined_status(call: Call) -> Answer:
    repository = call.repository
    call.may(repository, "statuses", Level.READ)
    commit = _commit(call, repository)
    statuses = repository.statuses.get(commit, [])
    api = f"{call.world.links.api}/repos/{repository.full_name}/commits/{commit}"
    return ok(
        {
            "state": _worst(statuses),
            "statuses": [_status_shape(call.world, repository, commit, one) for one in statuses],
            "sha": commit,
            "total_count": len(statuses),
            "repository": minimal_repository(call.world, repository),
            "commit_url": api,
            "url": f"{api}/status",
        }
    )


def job_logs(call: Call) -> Answer:
    """A redirect to a text that needs no token."""
    repository = call.repository
    call.may(repository, "actions", Level.READ)
    if not any(str(run.id) == call.where["job"] for runs in repository.check_runs.values() for run in runs):
        raise not_found()
    url = f"{call.world.links.html}/_logs/{repository.id}/{call.where['job']}"
    return Answer(status=302, headers={"location": url})


def log_text(call: Call) -> Answer:
    repository = call.world.of_id(int(call.where["repository"]))
    runs = [] if repository is None else [run for found in repository.check_runs.values() for run in found]
    found = next((run for run in runs if str(run.id) == call.where["job"]), None)
    if found is None:
        raise not_found()
    return Answer(body=found.log.encode(), headers={"content-type": "text/plain; charset=utf-8"})


def set_checks(world: World, repository: Repository, commit: str, wish: SetChecks) -> None:
    for run in wish.runs:
        _set_run(world, repository, commit, run)
    for context, state in wish.statuses.items():
        kept = [one for one in repository.statuses.get(commit, []) if one.context != context]
        new = CommitStatus(id=world.new_id(), context=context, state=state, description=None, created_at=world.now())
        repository.statuses[commit] = [*kept, new]
    for pull in list(repository.pulls.values()):
        if pull.head_sha == commit:
            settle(world, repository, pull)


def run_shape(world: World, repository: Repository, commit: str, run: CheckRun) -> dict[str, Any]:
    api = f"{world.links.api}/repos/{repository.full_name}/check-runs/{run.id}"
    html = f"{world.links.html}/{repository.full_name}/actions/runs/{repository.id}/job/{run.id}"
    done = run.status == "completed"
    return {
        "id": run.id,
        "node_id": node_id("CR", run.id),
        "head_sha": commit,
        "external_id": "",
        "url": api,
        "html_url": html,
        "details_url": html,
        "status": run.status,
        "conclusion": run.conclusion if done else None,
        "started_at": stamp(run.started_at),
        "completed_at": stamp(run.started_at) if done else None,
        "output": {
            "title": run.summary,
            "summary": run.summary,
            "text": None,
            "annotations_count": 0,
            "annotations_url": f"{api}/annotations",
        },
        "name": run.name,
        "check_suite": {"id": repository.id},
        "app": None,
        "pull_requests": [],
    }


def _set_run(world: World, repository: Repository, commit: str, wish: Run) -> None:
    run = CheckRun(
        id=world.new_id(),
        name=wish.name,
        status=wish.status,
        conclusion=wish.conclusion,
        summary=wish.summary,
        log=wish.log,
        started_at=world.now(),
    )
    kept = [one for one in repository.check_runs.get(commit, []) if one.name != run.name]
    repository.check_runs[commit] = [*kept, run]
    action = "completed" if run.status == "completed" else "created"
    shape = run_shape(world, repository, commit, run)
    tell(world, "check_run", {"action": action, "check_run": shape}, repository, repository.owner)
    _tell_suite(world, repository, commit)


def _tell_suite(world: World, repository: Repository, commit: str) -> None:
    state = rollup(repository, commit)
    if state in {None, "PENDING"}:
        return
    suite: dict[str, Any] = {
        "id": repository.id,
        "node_id": node_id("CS", repository.id),
        "head_sha": commit,
        "head_branch": next((name for name, at in bare.branches(repository.path).items() if at == commit), None),
        "status": "completed",
        "conclusion": "success" if state == "SUCCESS" else "failure",
        "pull_requests": [],
    }
    tell(world, "check_suite", {"action": "completed", "check_suite": suite}, repository, repository.owner)


def _commit(call: Call, repository: Repository) -> str:
    found = bare.commit_named(repository.path, call.where["ref"])
    if found is None:
        raise Refusal(422, f"No commit found for SHA: {call.where['ref']}")
    return found


def _worst(statuses: Sequence[CommitStatus]) -> str:
    states = {one.state for one in statuses}
    if states & {"error", "failure"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def _status_shape(world: World, repository: Repository, commit: str, one: CommitStatus) -> dict[str, Any]:
    return {
        "url": f"{world.links.api}/repos/{repository.full_name}/statuses/{commit}",
        "avatar_url": None,
        "id": one.id,
        "node_id": node_id("SC", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": None,
        "context": one.context,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


ROUTES: Sequence[Route] = (
    Route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", list_check_runs),
    Route("GET", "/repos/{owner}/{repo}/commits/{ref}/status", combined_status),
    Route("GET", "/repos/{owner}/{repo}/actions/jobs/{job}/logs", job_logs),
    Route("GET", "/_logs/{repository}/{job}", log_text),
)
