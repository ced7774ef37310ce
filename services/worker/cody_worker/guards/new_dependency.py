"""A package that a manifest did not ask for before."""

import re
from itertools import islice

from cody_jobs.models import JobType
from cody_worker.guards.changed_lines import ChangedLines
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Finding, GuardName, GuardRules, shown
from cody_worker.guards.manifest_names import manifest_names


def new_dependencies(path: str, lines: ChangedLines, rules: GuardRules) -> list[Finding]:
    """Another version of the same package is none. A job of type dependency-update may add what its prompt names."""
    after = manifest_names(path, lines.after)
    if not after:
        return []
    before = manifest_names(path, lines.before)
    if before is None:  # it could not be read before either
        return []
    new = (name for name in sorted(after - before) if not _is_granted(name, rules))
    return [_finding(name, lines) for name in islice(new, MOST_FINDINGS_OF_A_GUARD)]


def _is_granted(name: str, rules: GuardRules) -> bool:
    if rules.job_type is not JobType.DEPENDENCY_UPDATE:
        return False
    prompt = rules.prompt.lower()
    return any(re.search(rf"(?<![\w-]){_loose(form)}(?![\w-])", prompt) for form in (name, name.rpartition(":")[2]))


def _loose(name: str) -> str:
    """Python takes dashes, dots and underscores in a name for the same, and so do people."""
    return "[-_.]".join(map(re.escape, re.split(r"[-_.]", name)))


def _finding(name: str, lines: ChangedLines) -> Finding:
    spoken = re.compile(_loose(name.rpartition(":")[2]), re.IGNORECASE)
    line = next((line.number for line in lines.added if spoken.search(line.text)), None)
    where = "" if line is None else f"line {line} adds "
    message = f"{where}{shown(name)}, which the file did not ask for before"
    return Finding(guard=GuardName.NEW_DEPENDENCY, message=message, line=line)
