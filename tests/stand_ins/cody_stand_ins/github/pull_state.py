"""What stands between a pull request and its merge."""

from cody_stand_ins.github.merging import contains, merge_tree
from cody_stand_ins.github.records import CheckRun, Protection, Pull, Repository

_GOOD = frozenset({"success", "neutral", "skipped"})
_OPINIONS = frozenset({"APPROVED", "CHANGES_REQUESTED"})


def protection_of(repository: Repository, branch: str) -> Protection | None:
    return repository.protections.get(branch)


def know_mergeable(repository: Repository, pull: Pull) -> None:
    """The first look after a change finds nothing yet, as with GitHub, where a job computes it in between."""
    pair = (pull.base_sha, pull.head_sha)
    if pull.state != "open":
        return
    if pull.known != pair:
        pull.known, pull.mergeable = pair, None
    elif pull.mergeable is None:
        pull.mergeable = is_mergeable(repository, pull)


def is_mergeable(repository: Repository, pull: Pull) -> bool:
    return merge_tree(repository.path, pull.base_sha, pull.head_sha) is not None


def mergeable_state(repository: Repository, pull: Pull) -> str:
    """In the words of REST: unknown, dirty, draft, blocked, behind, unstable, clean."""
    if pull.state != "open" or pull.mergeable is None:
        return "unknown"
    if not pull.mergeable:
        return "dirty"
    if pull.draft:
        return "draft"
    if what_blocks(repository, pull) is not None:
        return "blocked"
    if _is_behind(repository, pull):
        return "behind"
    return "clean" if rollup(repository, pull.head_sha) in {None, "SUCCESS"} else "unstable"


def what_blocks(repository: Repository, pull: Pull) -> str | None:
    """What the protection of the base still asks for; None: nothing."""
    rules = protection_of(repository, pull.base_ref)
    if rules is None:
        return None
    decision = review_decision(repository, pull)
    if decision == "CHANGES_REQUESTED":
        return "Changes have been requested by a reviewer."
    if decision == "REVIEW_REQUIRED":
        return f"At least {rules.required_reviews} approving review is required by reviewers with write access."
    missing = [name for name in rules.required_checks if not _passed(repository, pull.head_sha, name)]
    return f'Required status check "{missing[0]}" is expected.' if missing else None


def review_decision(repository: Repository, pull: Pull) -> str | None:
    """Null where no review is required, as GitHub has it."""
    rules = protection_of(repository, pull.base_ref)
    if rules is None or not rules.required_reviews:
        return None
    opinions = {review.login: review.state for review in pull.reviews if review.state in {*_OPINIONS, "DISMISSED"}}
    if "CHANGES_REQUESTED" in opinions.values():
        return "CHANGES_REQUESTED"
    approvals = sum(1 for state in opinions.values() if state == "APPROVED")
    return "APPROVED" if approvals >= rules.required_reviews else "REVIEW_REQUIRED"


def rollup(repository: Repository, commit: str) -> str | None:
    """One word for all checks and statuses of a commit; None where there are none."""
    states = [_state(run) for run in repository.check_runs.get(commit, [])]
    states += [status.state.upper() for status in repository.statuses.get(commit, [])]
    for state in ("ERROR", "FAILURE", "PENDING"):
        if state in states:
            return state
    return "SUCCESS" if states else None


def _state(run: CheckRun) -> str:
    if run.status != "completed":
        return "PENDING"
    return "SUCCESS" if run.conclusion in _GOOD else "FAILURE"


def _passed(repository: Repository, commit: str, name: str) -> bool:
    runs = [run for run in repository.check_runs.get(commit, []) if run.name == name]
    statuses = [one for one in repository.statuses.get(commit, []) if one.context == name]
    if not runs and not statuses:
        return False
    return all(_state(run) == "SUCCESS" for run in runs) and all(one.state == "success" for one in statuses)


def _is_behind(repository: Repository, pull: Pull) -> bool:
    rules = protection_of(repository, pull.base_ref)
    return bool(rules and rules.strict) and not contains(repository.path, pull.head_sha, pull.base_sha)
