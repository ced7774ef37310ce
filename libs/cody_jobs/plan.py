"""What is decided once per job, and carried out locally in every repository."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

LANGUAGES: frozenset[str] = frozenset(
    """bash c c-sharp cpp css dockerfile go groovy hcl html java javascript json kotlin markdown php python ruby rust
    scala sql swift toml tsx typescript xml yaml""".split()  # noqa: SIM905 (words read better than a page of literals)
)
"""Names that a plan's `languages` may have: those that files are told apart by, from their names."""

PLAN_REPOSITORY = ""
"""The name under which a job's usage has the calls that made its plan: they belong to no repository."""


class Extent(StrEnum):
    """How much of a file has to be seen to change it: the surroundings of each match, or all of it."""

    MATCHES = "matches"
    FILE = "file"


class Example(Struct, frozen=True, kw_only=True, rename="camel"):
    """The change on a few lines: what they are before and after it."""

    before: str
    after: str


class Precondition(Struct, frozen=True, kw_only=True, rename="camel"):
    """A repository is left alone, for `reason`, when it has a file whose path matches one of `paths` (gitignore-style
    patterns) and whose text matches `pattern` (a Python regular expression; none: any text). With `missing`, when it
    has no such file."""

    reason: str
    paths: tuple[str, ...]
    pattern: str | None = None
    missing: bool = False


class Plan(Struct, frozen=True, kw_only=True, rename="camel"):
    """`include` and `exclude` are gitignore-style patterns on paths; `languages` narrow them by name (none: all);
    `matches` are Python regular expressions, with MULTILINE, of which a candidate's text must match one (none: every
    file of the patterns is a candidate). The job's own `include`, `exclude` and `match` narrow these further.

    `change` says in a few sentences how a file is to be changed. `remaining` is the completion query: regular
    expressions that match nothing any more, in the files of the patterns, where the change is complete.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    leave_alone: tuple[Precondition, ...] = ()
    extent: Extent = Extent.FILE
    change: str = ""
    example: Example | None = None
    remaining: tuple[str, ...] = ()


class PlanSource(StrEnum):
    """Who made a plan: the request that made the job, its own `match` and patterns alone, Claude, or an edit later."""

    REQUEST = "request"
    PATTERNS = "patterns"
    CLAUDE = "claude"
    EDITED = "edited"


class JobPlan(Struct, frozen=True, kw_only=True, rename="camel"):
    """The plan that a job is carried out by. `model` is the one that was asked, for a plan of Claude's; `reused_from`
    names the job whose plan this is, where the same question had been answered before."""

    plan: Plan
    source: PlanSource
    model: str | None
    reused_from: str | None
    at: datetime
