"""Pull requests and what is around them, over the socket, against the stand-in."""

import pytest

from cody_hosts.github.github import GitHub
from cody_jobs.errors import JobFailed, PerhapsDone
from cody_jobs.models import FailureCode
from cody_jobs.ports.pull_requests import (
    Checks,
    Conflicts,
    Head,
    MergeMethod,
    NewPull,
    Pull,
    PullName,
    PullState,
    Review,
    Touches,
)
from cody_stand_ins.github import GitHubStandIn
from cody_stand_ins.github.faults import Fault, FaultKind
from cody_stand_ins.github.stage import Run
from tests.unit.cody_hosts.github.conftest import STRANGER, Opened

HEAD = Head(owner="acme", branch="cody/change")
MARKER = "<!-- cody-batch: job-1 -->"


async def open_one(github: GitHub, stand_in: GitHubStandIn, *, draft: bool = False) -> Pull:
    await stand_in.commit("acme/shop", HEAD.branch, {"a.py": "a = 2\n"}, login="bot")
    body = f"why\n\n{MARKER}"
    return await github.pulls.open(
        NewPull(repository="acme/shop", head=HEAD, base="main", title="A change", body=body, draft=draft)
    )


async def test_a_pull_request_is_opened_and_found_again_by_branch_and_marker(
    github: GitHub, stand_in: GitHubStandIn
) -> None:
    pull = await open_one(github, stand_in)

    assert (pull.state, pull.draft, pull.title, pull.head, pull.base) == (
        PullState.OPEN,
        False,
        "A change",
        HEAD,
        "main",
    )
    assert await github.pulls.find("acme/shop", HEAD, marker=MARKER) == [pull]
    assert await github.pulls.find("acme/shop", HEAD, marker="<!-- another -->") == []
    assert await github.pulls.find("acme/shop", Head(owner="acme", branch="cody/other")) == []


async def test_a_closed_one_is_found_too(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)

    assert (await github.pulls.close(pull.name)).state is PullState.CLOSED
    assert [one.state for one in await github.pulls.find("acme/shop", HEAD, marker=MARKER)] == [PullState.CLOSED]
    assert (await github.pulls.reopen(pull.name)).state is PullState.OPEN


async def test_title_and_text_are_changed(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)

    changed = await github.pulls.change(pull.name, title="A better change")

    assert (changed.title, changed.body) == ("A better change", pull.body)


async def test_a_draft_becomes_ready_and_a_draft_again(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in, draft=True)
    assert pull.draft

    await github.pulls.set_draft(pull, draft=False)
    assert not (await github.pulls.get(pull.name)).draft
    await github.pulls.set_draft(pull, draft=True)
    assert (await github.pulls.get(pull.name)).draft


async def test_a_merge_takes_the_commit_that_was_meant_and_no_other(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.commit("acme/shop", HEAD.branch, {"b.py": "b = 2\n"})

    with pytest.raises(JobFailed) as caught:
        await github.pulls.merge(pull.name, head_commit=pull.head_commit, method=MergeMethod.SQUASH)
    assert caught.value.code == FailureCode.CODE_HOST_REFUSED

    newest = await github.pulls.get(pull.name)
    await github.pulls.merge(pull.name, head_commit=newest.head_commit, method=MergeMethod.SQUASH)
    assert (await github.pulls.get(pull.name)).state is PullState.MERGED


async def test_a_merge_whose_answer_was_lost_has_happened(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.set_faults(Fault(kind=FaultKind.ANSWER_LOST, method="PUT", times=1))

    await github.pulls.merge(pull.name, head_commit=pull.head_commit, method=MergeMethod.MERGE)

    assert (await github.pulls.get(pull.name)).state is PullState.MERGED


async def test_a_rule_that_forbids_the_merge_is_told(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.protect("acme/shop", requiredReviews=1)

    with pytest.raises(JobFailed, match="review") as caught:
        await github.pulls.merge(pull.name, head_commit=pull.head_commit, method=MergeMethod.MERGE)

    assert caught.value.code == FailureCode.BRANCH_PROTECTED


async def test_a_branch_takes_in_its_base_once(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.commit("acme/shop", "main", {"c.py": "c = 1\n"})

    await github.pulls.update_branch(pull.name, head_commit=pull.head_commit)
    updated = await github.pulls.get(pull.name)
    await github.pulls.update_branch(pull.name, head_commit=updated.head_commit)

    assert updated.head_commit != pull.head_commit
    assert (await github.pulls.get(pull.name)).head_commit == updated.head_commit


async def test_a_pull_request_merges_itself_once_it_may(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.change_repository("acme/shop", allowAutoMerge=True)
    await stand_in.protect("acme/shop", requiredReviews=1)
    pull = await open_one(github, stand_in)

    await github.pulls.enable_auto_merge(pull, method=MergeMethod.SQUASH)
    waiting = (await github.views.view([pull.name]))[pull.name]
    await stand_in.act("acme/shop", pull.name.number, "review", login="human")

    assert (waiting.state, waiting.auto_merge, waiting.review) == (PullState.OPEN, True, Review.REQUIRED)
    assert (await github.pulls.get(pull.name)).state is PullState.MERGED


async def test_a_refusal_inside_of_a_graphql_answer_is_a_failure(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)

    with pytest.raises(JobFailed, match="let acme/shop#1 merge itself"):
        await github.pulls.enable_auto_merge(pull, method=MergeMethod.SQUASH)


async def test_many_states_are_read_at_once_and_missing_ones_left_out(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await github.discussion.touch(pull.name, Touches(labels=("cody",)))
    await stand_in.set_checks("acme/shop", pull.name.number, Run(name="test", conclusion="failure"))
    await stand_in.commit("acme/shop", "main", {"a.py": "a = 9\n"})
    missing = [PullName(repository="acme/shop", number=77), PullName(repository="acme/gone", number=1)]
    await github.views.view([pull.name])  # GitHub looks for conflicts when it is asked
    before = len(await stand_in.log())

    views = await github.views.view([missing[0], pull.name, missing[1], pull.name])

    assert list(views) == [pull.name]
    view = views[pull.name]
    assert (view.state, view.checks, view.conflicts, view.review) == (
        PullState.OPEN,
        Checks.FAILED,
        Conflicts.SOME,
        Review.NONE,
    )
    assert (view.id, view.url, view.head_commit, view.labels) == (pull.id, pull.url, pull.head_commit, ("cody",))
    assert len(await stand_in.log()) == before + 1


async def test_the_same_is_said_once_and_something_else_in_its_place(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.act("acme/shop", 1, "comment", login="human", text=f"> {MARKER}\nwhat is this?")

    await github.discussion.say(pull.name, "one", marker=MARKER)
    await github.discussion.say(pull.name, "one", marker=MARKER)
    await github.discussion.say(pull.name, "two", marker=MARKER)

    changes = [one for one in await stand_in.log() if "/comments" in one.path and one.method != "GET"]
    assert [one.method for one in changes] == ["POST", "PATCH"]


async def test_a_comment_whose_answer_was_lost_is_found_when_it_is_said_again(
    github: GitHub, stand_in: GitHubStandIn
) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.set_faults(Fault(kind=FaultKind.ANSWER_LOST, method="POST", path="/comments", times=1))

    with pytest.raises(PerhapsDone):
        await github.discussion.say(pull.name, "one", marker=MARKER)
    await github.discussion.say(pull.name, "one", marker=MARKER)

    assert [one.method for one in await stand_in.log() if "/comments" in one.path].count("POST") == 1


async def test_labels_people_and_milestone_are_set(github: GitHub, stand_in: GitHubStandIn) -> None:
    await stand_in.change_repository("acme/shop", levels={"bot": "write", "human": "write"})
    await stand_in.add_user("human")
    await stand_in.add_team("acme", "reviewers", "human")
    await stand_in.add_repository("acme/web", files={"a": "1"}, levels={"bot": "write"}, milestones=["v2"])
    pull = await open_one(github, stand_in)
    touches = Touches(labels=("a/b c", "d"), assignees=("bot",), reviewers=("human",), teams=("reviewers",))

    for _ in range(2):
        await github.discussion.touch(pull.name, touches)
    await github.discussion.drop_label(pull.name, "a/b c")
    await github.discussion.drop_label(pull.name, "a/b c")

    (found,) = [one for one in await stand_in.pulls() if one["number"] == pull.name.number]
    assert [label["name"] for label in found["labels"]] == ["d"]
    assert [user["login"] for user in found["assignees"]] == ["bot"]
    assert [user["login"] for user in found["requested_reviewers"]] == ["human"]
    assert [team["slug"] for team in found["requested_teams"]] == ["reviewers"]


async def test_a_reviewer_who_cannot_be_asked_is_told(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)

    with pytest.raises(JobFailed, match="add reviewers") as caught:
        await github.discussion.touch(pull.name, Touches(reviewers=("nobody",)))

    assert caught.value.code == FailureCode.CODE_HOST_REFUSED


async def test_what_failed_comes_with_the_end_of_its_log(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    runs = (
        Run(name="test", conclusion="failure", log="x" * 5_000 + "\nAssertionError: 1 == 2\n"),
        Run(name="lint", conclusion="success"),
        Run(name="slow", status="in_progress", conclusion=None),
    )
    await stand_in.set_checks("acme/shop", pull.name.number, *runs, statuses={"ci/old": "failure", "ci/new": "success"})

    failed = await github.checks.of("acme/shop", pull.head_commit, most_bytes=100)

    assert [(one.name, one.conclusion) for one in failed] == [("test", "failure"), ("ci/old", "failure")]
    assert failed[0].log.endswith("AssertionError: 1 == 2\n")
    assert len(failed[0].log) == 100


async def test_the_token_is_not_sent_to_where_logs_are(github: GitHub, stand_in: GitHubStandIn) -> None:
    pull = await open_one(github, stand_in)
    await stand_in.set_checks("acme/shop", 1, Run(name="test", conclusion="failure", log="boom"))

    await github.checks.of("acme/shop", pull.head_commit)

    assert [one.identity for one in await stand_in.log() if one.path.startswith("/_logs/")] == ["anonymous"]


async def test_branches_come_and_go(github: GitHub, stand_in: GitHubStandIn) -> None:
    commit = await stand_in.commit("acme/shop", "cody/a#1+b%20", {"a.py": "a = 2\n"})

    assert await github.branches.head("acme/shop", "cody/a#1+b%20") == commit
    await github.branches.delete("acme/shop", "cody/a#1+b%20")
    await github.branches.delete("acme/shop", "cody/a#1+b%20")
    assert await github.branches.head("acme/shop", "cody/a#1+b%20") is None


async def test_a_pull_request_comes_from_a_fork_where_we_may_not_push(opened: Opened, stand_in: GitHubStandIn) -> None:
    await stand_in.set_fork_polls(2)
    async with opened(STRANGER) as github:
        fork = await github.branches.fork("acme/shop")
        assert await github.branches.fork("acme/shop") == fork == "stranger/shop"
        await stand_in.commit(fork, HEAD.branch, {"a.py": "a = 2\n"}, login="stranger")
        head = Head(owner="stranger", branch=HEAD.branch)
        pull = await github.pulls.open(
            NewPull(repository="acme/shop", head=head, base="main", title="From afar", body=MARKER)
        )

        assert pull.head_repository == "stranger/shop"
        assert await github.pulls.find("acme/shop", head, marker=MARKER) == [pull]
    assert (await stand_in.stats()).forks == 1
