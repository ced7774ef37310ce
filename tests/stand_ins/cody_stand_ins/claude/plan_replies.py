"""The plan that the stand-in makes of a task: where the few migrations that it knows find something to do."""

import re
from typing import Any

from cody_stand_ins.claude.migrations import REPLACE

_EVERYTHING_WITH_A_NAME = ("*.*",)
"""Of a task that it does not know, it cannot tell which files are concerned."""


def plan_for(task: str) -> dict[str, Any]:
    """The input of the tool `make_plan`. The first rule that fits decides, as in `migrations`."""
    if "Optional[" in task and "| None" in task:
        return _plan(languages=["python"], matches=[r"\bOptional\["], remaining=[r"\bOptional\["])
    if "assertEquals" in task and re.search(r"assertEqual\b", task):
        return _plan(matches=[r"\bassertEquals\("], remaining=[r"\bassertEquals\("])
    if "yaml.load" in task and "yaml.safe_load" in task:
        return _plan(matches=[r"\byaml\.load\("], remaining=[r"\byaml\.load\("])
    literal = REPLACE.search(task)
    if literal is None:
        return _plan(include=[*_EVERYTHING_WITH_A_NAME])
    old, new = literal["old"], literal["new"]
    return _plan(matches=[re.escape(old)], remaining=[] if old in new else [re.escape(old)])


def _plan(**parts: list[str]) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "include": [],
        "exclude": [],
        "languages": [],
        "matches": [],
        "leave_alone": [],
        "extent": "file",
        "change": "As the task says.",
        "example": {"before": "", "after": ""},
        "remaining": [],
    }
    return nothing | parts
