"""Ask Claude about one file until there is an outcome: edited, left alone, reported on, or given up."""

import asyncio
from collections import deque
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.models import Failure, FailureCode
from cody_jobs.outcomes import CallUsage, ClaudeThread, Edited, FileOutcome, GaveUp, LeftAlone, Reported, ThreadMessage
from cody_worker.claude import Claude, NoMoreAnswers
from cody_worker.claude.problem import Problem
from cody_worker.edit.change import Changed, change_of
from cody_worker.edit.conversation import Conversation, Settled, Told, TooLarge
from cody_worker.edit.look_around import Lookable
from cody_worker.edit.question import FileQuestion, question_key, view_of
from cody_worker.file_text import read_text
from cody_worker.git.staged_files import FileStage
from cody_worker.windows import View, smaller_views

__all__ = ["FileAnswer", "FileQuestion", "edit_file", "question_key"]

_MOST_PARTS = 64


class FileAnswer(Struct, frozen=True, kw_only=True):
    """`new_data` is there for an `Edited` outcome that does not delete the file; `stages` are all files that it changes
    or makes."""

    outcome: FileOutcome
    new_data: bytes | None
    calls: tuple[CallUsage, ...]
    thread: ClaudeThread
    stages: tuple[FileStage, ...] = ()


async def edit_file(
    claude: Claude, question: FileQuestion, repository: Lookable | None = None, *, told: Told | None = None
) -> FileAnswer:
    """Raises what stops the whole job (`NoMoreAnswers`; its `calls` were paid for) and what the `repository` raises.
    All else is an outcome."""
    text = read_text(question.data)
    if text is None:
        thread = ClaudeThread(path=question.path, model=question.model, messages=())
        outcome = _gave_up(FailureCode.ENCODING_NOT_KEPT, "the file is binary")
        return FileAnswer(outcome=outcome, new_data=None, calls=(), thread=thread)
    view = await asyncio.to_thread(view_of, question, text.shown)
    return await _Parts(claude, question, repository, told or Told()).settle(view)


class _Parts:
    """One conversation for each view of the file: one for all of it, unless that is too large."""

    def __init__(self, claude: Claude, question: FileQuestion, repository: Lookable | None, told: Told) -> None:
        self._claude = claude
        self._question = question
        self._repository = repository
        self._told = told
        self._calls: list[CallUsage] = []
        self._messages: tuple[ThreadMessage, ...] = told.messages

    async def settle(self, view: View) -> FileAnswer:
        views, settled = deque([view]), list[Settled]()
        for _ in range(_MOST_PARTS):
            if not views:
                break
            part = views.popleft()
            result = await self._talk(part)
            if isinstance(result, TooLarge):
                smaller = await asyncio.to_thread(smaller_views, self._question.path, part, self._question.matches)
                views.extendleft(reversed(smaller))
                result = result.failure if not smaller else None
            if isinstance(result, GaveUp):
                return self._answer(result)
            settled += [] if result is None else [result]
        if views:
            return self._answer(_gave_up(FailureCode.CLAUDE_REPLY_CUT_OFF, "the file would need too many requests"))
        return self._answer(settled[0] if len(settled) == 1 else await self._together(settled))

    async def _talk(self, view: View) -> Settled:
        talk = Conversation(self._claude, self._question, view, repository=self._repository, told=self._told)
        try:
            return await talk.settle()
        except NoMoreAnswers as error:
            error.calls = (*self._calls, *error.calls)
            raise
        finally:
            self._calls += talk.calls
            self._messages += _without_system(talk.messages) if self._messages else talk.messages

    async def _together(self, settled: Sequence[Settled]) -> Settled:
        """What all parts say about the file."""
        changes = [part.outcome for part in settled if isinstance(part, Changed)]
        if any(change.deleted for change in changes):
            return _gave_up(FailureCode.EDIT_NOT_APPLICABLE, "a part of the file cannot say that the file is deleted")
        if changes:
            changed = await asyncio.to_thread(change_of, self._question, _sum(changes))
            if isinstance(changed, Problem):
                return _gave_up(changed.code, f"the parts do not fit together: {changed.message}")
            return changed
        reports = [part for part in settled if isinstance(part, Reported)]
        if reports:
            findings = tuple(finding for part in reports for finding in part.findings)
            return replace(reports[0], findings=findings, reason=" ".join(part.reason for part in reports))
        return next(part for part in settled if isinstance(part, LeftAlone))

    def _answer(self, settled: Settled) -> FileAnswer:
        assert not isinstance(settled, TooLarge)
        thread = ClaudeThread(path=self._question.path, model=self._question.model, messages=self._messages)
        changed = settled if isinstance(settled, Changed) else None
        return FileAnswer(
            outcome=changed.outcome if changed is not None else _outcome(settled),
            new_data=changed.new_data if changed is not None else None,
            calls=tuple(self._calls),
            thread=thread,
            stages=changed.stages if changed is not None else (),
        )


def _outcome(settled: Settled) -> FileOutcome:
    assert isinstance(settled, LeftAlone | Reported | GaveUp)
    return settled


def _sum(changes: Sequence[Edited]) -> Edited:
    renamed = [change.renamed for change in changes if change.renamed is not None]
    return Edited(
        edits=tuple(edit for change in changes for edit in change.edits),
        created=tuple(file for change in changes for file in change.created),
        renamed=renamed[0] if renamed else None,
        seen=tuple(seen for change in changes for seen in change.seen),
    )


def _without_system(messages: tuple[ThreadMessage, ...]) -> tuple[ThreadMessage, ...]:
    return tuple(message for message in messages if message.role != "system")


def _gave_up(code: FailureCode, message: str) -> GaveUp:
    return GaveUp(failure=Failure(code=code, message=message, retryable=False))
