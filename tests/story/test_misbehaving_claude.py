"""A Claude that answers badly: nothing of it reaches a patch.

What is right is known without the engine's guards: one text for each file, and no file but those that were there.
"""

from collections.abc import AsyncGenerator, Mapping

import pytest
from msgspec import Struct

from cody_jobs.models import FailureCode, RunStatus
from cody_jobs.outcomes import GaveUp
from cody_stand_ins.claude import FaultKind
from tests.story.misbehaving_claude import Judged, MisbehavingClaude, judge, open_bench
from tests.story.spoilt_files import files_for, right

CODES: Mapping[FaultKind, FailureCode] = {
    FaultKind.REFUSAL: FailureCode.CLAUDE_REFUSED,
    FaultKind.CUT_OFF: FailureCode.CLAUDE_REPLY_CUT_OFF,
    FaultKind.CUT_BETWEEN_EDITS: FailureCode.CLAUDE_REPLY_CUT_OFF,
    FaultKind.CONTEXT_FULL: FailureCode.CLAUDE_REPLY_CUT_OFF,
    FaultKind.NOT_JSON: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.WRONG_INPUT: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.UNKNOWN_TOOL: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.TWO_TOOLS: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.TEXT_ONLY: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.EMPTY: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.NO_CHANGE: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.WRONG_FILE: FailureCode.CLAUDE_REPLY_UNUSABLE,
    FaultKind.WRONG_MATCH: FailureCode.EDIT_NOT_APPLICABLE,
    FaultKind.AMBIGUOUS_MATCH: FailureCode.EDIT_NOT_APPLICABLE,
    FaultKind.BROKEN_SYNTAX: FailureCode.GUARD_HIT,
    FaultKind.ELIDED: FailureCode.GUARD_HIT,
    FaultKind.REFORMATTED: FailureCode.GUARD_HIT,
    FaultKind.RESTYLED: FailureCode.GUARD_HIT,
    FaultKind.TEST_REMOVED: FailureCode.GUARD_HIT,
    FaultKind.TEST_WEAKENED: FailureCode.GUARD_HIT,
    FaultKind.WORKFLOW_EDITED: FailureCode.GUARD_HIT,
    FaultKind.WORKFLOW_CREATED: FailureCode.GUARD_HIT,
    FaultKind.INJECTION_FOLLOWED: FailureCode.GUARD_HIT,
    FaultKind.INJECTED_CODE: FailureCode.GUARD_HIT,
    FaultKind.SECRET_ADDED: FailureCode.GUARD_HIT,
    FaultKind.BIDI_ADDED: FailureCode.GUARD_HIT,
    FaultKind.DEPENDENCY_ADDED: FailureCode.GUARD_HIT,
    FaultKind.FILE_DELETED: FailureCode.GUARD_HIT,
}
"""What a file's failure is when Claude does not do better, however often it is told."""
UNSEEN: Mapping[FaultKind, str] = {
    FaultKind.NO_OP: "a remark instead of the change is an edit like others; the completion query lists the file",
    FaultKind.HALF_DONE: "a change that was begun is an edit like others; the completion query lists the file",
}
"""What no guard can see in a diff alone, and why."""
FILES_OF_A_KIND = 20


class Seen(Struct, frozen=True):
    claude: MisbehavingClaude
    judged: Mapping[FaultKind | None, Judged]


@pytest.fixture(scope="module")
async def seen(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Seen]:
    """One job over a repository for each kind, and one that Claude answers well."""
    kinds = (None, *CODES, *UNSEEN)
    files = {kind: files_for(kind, FILES_OF_A_KIND) for kind in kinds}
    bad = {path: kind for kind, mine in files.items() if kind is not None for path in mine}
    claude = MisbehavingClaude(bad, seed=5)
    async with open_bench(claude, module_database_url, tmp_path_factory.mktemp("misbehaving")) as bench:
        judged = await judge(bench, {f"acme/{kind or 'good'}": mine for kind, mine in files.items()})
        yield Seen(claude, dict(zip(kinds, judged, strict=True)))


async def test_what_is_answered_well_is_done(seen: Seen) -> None:
    """Or the others would prove nothing."""
    good = seen.judged[None]
    assert good.status is RunStatus.SUCCEEDED
    assert good.after == {path: right(path, data) for path, data in good.before.items()}


@pytest.mark.parametrize("kind", CODES)
async def test_nothing_wrong_reaches_a_patch(seen: Seen, kind: FaultKind) -> None:
    assert wrong_files(seen.judged[kind]) == []


@pytest.mark.parametrize("kind", CODES)
async def test_a_file_that_is_never_answered_well_fails_with_its_code(seen: Seen, kind: FaultKind) -> None:
    judged = seen.judged[kind]
    hopeless = [path for path in judged.before if seen.claude.is_hopeless(path)]
    assert len(hopeless) > 1
    assert judged.status is RunStatus.FAILED
    for path in hopeless:
        outcome = judged.outcomes[path]
        assert isinstance(outcome, GaveUp), path
        assert outcome.failure.code is CODES[kind], outcome.failure.message


async def test_none_of_five_hundred_bad_replies_ends_in_a_green_run(seen: Seen) -> None:
    """Of the kinds that a guard can see; each file's first reply is bad."""
    assert seen.claude.bad_replies >= len(CODES) * FILES_OF_A_KIND >= 500
    assert [path for kind in CODES for path in wrong_files(seen.judged[kind])] == []


@pytest.mark.parametrize("kind", UNSEEN)
async def test_what_no_guard_sees_is_known(seen: Seen, kind: FaultKind, request: pytest.FixtureRequest) -> None:
    request.applymarker(pytest.mark.xfail(strict=True, reason=UNSEEN[kind]))
    assert wrong_files(seen.judged[kind]) == []


@pytest.mark.parametrize("kind", [FaultKind.NO_OP, FaultKind.HALF_DONE])
async def test_a_change_that_is_not_complete_is_listed_as_remaining(seen: Seen, kind: FaultKind) -> None:
    incomplete = wrong_files(seen.judged[kind])
    assert incomplete
    assert seen.judged[kind].remaining >= {*incomplete}


def wrong_files(judged: Judged) -> list[str]:
    """Those that are neither as they have to be nor as they were, or that appeared or went."""
    allowed = {path: (data, right(path, data)) for path, data in judged.before.items()}
    wrong = [path for path, data in judged.after.items() if data not in allowed.get(path, ())]
    return sorted([*wrong, *(judged.before.keys() - judged.after.keys())])
