"""A credential in the added lines, by the shape of well-known ones or by how random a value with such a name is."""

from pathlib import PurePosixPath

from cody_worker.guards.changed_lines import ChangedLines
from cody_worker.guards.finding import Finding, GuardName
from cody_worker.guards.secret_shapes import known_secrets, masked, named_secrets, possible_shapes

_CONFIGURATION = frozenset({".env", ".yaml", ".yml", ".properties", ".ini", ".cfg", ".conf", ".tfvars", ".toml", ".sh"})


def added_secrets(lines: ChangedLines, path: str) -> list[Finding]:
    """A value that the file held before is not reported. A message never holds a whole secret."""
    is_configuration = _is_configuration(path)
    shapes = possible_shapes("\n".join(line.text for line in lines.added))
    findings: list[Finding] = []
    for line in lines.added:
        secrets = (*known_secrets(line.text, shapes), *named_secrets(line.text, is_configuration=is_configuration))
        found = {value: what for value, what in reversed(secrets) if value not in lines.before}
        findings += [_finding(line.number, what, value) for value, what in found.items()]
    return findings


def _is_configuration(path: str) -> bool:
    name = PurePosixPath(path).name.lower()
    return name.startswith((".env", "dockerfile")) or PurePosixPath(name).suffix in _CONFIGURATION


def _finding(number: int, what: str, value: str) -> Finding:
    message = f"line {number} has what looks like {what}: {masked(value)}"
    return Finding(guard=GuardName.SECRET_ADDED, message=message, line=number)
