"""An answer of before, for the same question: what it comes to now."""

import asyncio

from cody_jobs.outcomes import Answered, Edited
from cody_worker.edit.change import Changed, change_of
from cody_worker.edit.look_around import Lookable, is_still_so
from cody_worker.edit.question import FileQuestion
from cody_worker.git.staged_files import FileStage


async def stages_of(target: Lookable, file: FileQuestion, outcome: Answered) -> tuple[FileStage, ...] | None:
    """What it changes (nothing, where it leaves the file alone). None where it does not hold any more: what it rests on
    has changed, or a guard has become stricter."""
    for seen in outcome.seen:
        if not await is_still_so(target, seen):
            return None
    if not isinstance(outcome, Edited):
        return ()
    changed = await asyncio.to_thread(change_of, file, outcome)
    return changed.stages if isinstance(changed, Changed) else None
