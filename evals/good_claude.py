"""The Claude that makes no mistake, as the stand-in asks for it."""

from cody_stand_ins.claude.migrations import Rewrite, UnknownMigration
from evals.migrations import MIGRATIONS


def find_rewrite(task: str, path: str) -> Rewrite:
    """By the migration's prompt in the task."""
    for migration in MIGRATIONS:
        if migration.prompt in task:
            return lambda text: migration.good(path, text)
    raise UnknownMigration
