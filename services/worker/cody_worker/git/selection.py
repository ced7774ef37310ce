"""What a job's rules and its plan say about one path, and about one text."""

import re
from collections.abc import Callable, Iterable

import pathspec

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.scope import ScopeRules, SkipReason
from cody_worker.git.skip_reasons import is_marked_as_generated, reason_by_path, reason_by_size, text_of
from cody_worker.git.trees import FoundFile
from cody_worker.syntax.languages import language_of

Matcher = Callable[[str], bool]


class Selection:
    """The plan's patterns, narrowed by the job's own. Raises `JobFailed` for a rule that cannot be read."""

    def __init__(self, rules: ScopeRules) -> None:
        plan = rules.plan
        # Where a plan was made of the job's own patterns, they are the same ones.
        self._include = [path_matcher(lines) for lines in {rules.include, plan.include} if lines]
        self._exclude = [path_matcher(lines) for lines in {rules.exclude, plan.exclude} if lines]
        self._languages = frozenset(plan.languages)
        self._match = None if rules.match is None else compile_expression("`match`", rules.match)
        self._matches = compile_all("`matches` of the plan", plan.matches)

    def has_path(self, raw_path: bytes) -> bool:
        path = raw_path.decode(errors="surrogateescape")
        if self._languages and language_of(path) not in self._languages:
            return False
        return all(included(path) for included in self._include) and not any(out(path) for out in self._exclude)

    def count_matches(self, text: str) -> int | None:
        """Places where the plan's expressions match; None for a text that is no candidate's."""
        if self._match is not None and not self._match.search(text):
            return None
        places = {found.start() for expression in self._matches for found in expression.finditer(text)}
        return None if self._matches and not places else len(places)


def text_or_reason(store: ObjectStore, file: FoundFile, *, max_bytes: int) -> str | SkipReason:
    """The text of a file that may be shown to Claude, or why it may not."""
    reason = reason_by_path(file.path, file.mode) or reason_by_size(store.size_of_blob(file.id), max_bytes=max_bytes)
    if reason is not None:
        return reason
    text = text_of(store.read_blob(file.id))
    if isinstance(text, SkipReason):
        return text
    return SkipReason.GENERATED if is_marked_as_generated(text) else text


def path_matcher(lines: tuple[str, ...]) -> Matcher:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines).match_file
    except (ValueError, re.error) as error:
        raise _wrong_rule(f"a pattern of `include` or `exclude` is wrong: {error}") from error


def compile_all(field: str, expressions: Iterable[str]) -> list[re.Pattern[str]]:
    return [compile_expression(field, expression, re.MULTILINE) for expression in expressions]


def compile_expression(field: str, expression: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    try:
        return re.compile(expression, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise _wrong_rule(f"{field} is not a regular expression: {error}") from error


def _wrong_rule(message: str) -> JobFailed:
    # Jobs and plans are checked when they are accepted; what gets here was written into the store by other means.
    return JobFailed(FailureCode.INTERNAL_ERROR, message)
