"""What a migration is: repositories of real code, a job for them, and an oracle that knows what has to come out."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from cody_jobs.models import JobType

Files = Mapping[str, bytes]
"""All files of a repository, by path."""
Rewrite = Callable[[str, str], str]
"""(path, text with LF line ends) to the text that has to replace it; the same text where nothing is to be changed."""


class Migration(Struct, frozen=True, kw_only=True):
    """`hard` says what is difficult about it. `repositories` makes the files of each repository, by its name (the owner
    is always the same); `oracle` gives the right files for those of one repository, with a parser.

    `good` is what a Claude does that makes no mistake: a rule over text, without the oracle's parsers, so that the two
    check each other. Nobody may ask Claude about a `skipped` file (patterns of fnmatch). `match`, `include` and `type`
    are the job's. At least `changes` files have to change: an oracle that finds nothing proves nothing.
    """

    name: str
    hard: str
    prompt: str
    repositories: Callable[[], Mapping[str, Files]]
    oracle: Callable[[Files], Files]
    good: Rewrite
    changes: int
    skipped: tuple[str, ...] = ()
    type: JobType = JobType.CODE_PATTERN_UPDATE
    include: tuple[str, ...] = ()
    match: str | None = None


def each_file(rewrite: Callable[[bytes], bytes], *endings: str) -> Callable[[Files], Files]:
    """An oracle that looks at files one by one, those with one of the endings."""

    def oracle(files: Files) -> Files:
        return {path: rewrite(data) if path.endswith(endings) else data for path, data in files.items()}

    return oracle
