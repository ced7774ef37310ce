"""What the documents say is what the programs do. `python -m tests.unit.test_documents` prints the settings table."""

import re
from enum import Enum
from pathlib import Path
from typing import cast

import msgspec
import pytest

from cody_api.settings import ApiSettings
from cody_dispatcher.settings import DispatcherSettings
from cody_jobs.models import FailureCode
from cody_runtime.program import RuntimeSettings
from cody_runtime.settings import Setting, describe_settings
from cody_worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
PROGRAMS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("api", ApiSettings),
    ("dispatcher", DispatcherSettings),
    ("worker", WorkerSettings),
)


def settings_table() -> str:
    """One line per variable, with the programs that read it; what all read comes first."""
    readers: dict[tuple[str, ...], list[str]] = {}
    found: dict[tuple[str, ...], Setting] = {}
    for program, kind in PROGRAMS:
        for setting in (*describe_settings(RuntimeSettings), *describe_settings(kind)):
            found.setdefault(setting.names, setting)
            names = readers.setdefault(setting.names, [])
            if program not in names:
                names.append(program)
    ordered = sorted(found.values(), key=lambda setting: -len(readers[setting.names]))
    lines = [_line(setting, readers[setting.names]) for setting in ordered]
    return "\n".join(["| variable | default | read by | what it is |", "|---|---|---|---|", *lines])


def _line(setting: Setting, readers: list[str]) -> str:
    names = " or ".join(f"`{name}`" for name in setting.names)
    who = "all" if len(readers) == len(PROGRAMS) else ", ".join(readers)
    return f"| {names} | {_shown(setting)} | {who} | {setting.description} |"


def _shown(setting: Setting) -> str:
    if setting.required:
        return "required"
    match setting.default:
        case None | ():
            return "-"
        case Enum(value=value):
            return f"`{value}`"
        case tuple():
            return f"`{', '.join(map(str, cast('tuple[object, ...]', setting.default)))}`"
        case plain:
            return f"`{plain}`"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    assert settings_table() in (ROOT / "README.md").read_text()


def test_every_failure_code_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/failures.md").read_text(), flags=re.M))
    assert explained == set(FailureCode)


def _documents() -> list[str]:
    found = [path for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md") for path in ROOT.glob(pattern)]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def _anchors(document: Path) -> set[str]:
    """Those that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", _documents())
def test_links_between_documents_lead_somewhere(document: str) -> None:
    here = ROOT / document
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", here.read_text()):
        if "://" not in target:
            there = here.parent / target if target else here
            assert there.exists(), target
            assert not anchor or anchor in _anchors(there), f"{target}#{anchor}"


def test_links_of_every_folder_of_documents_are_checked() -> None:
    assert {document.rpartition("/")[0] for document in _documents()} == {"", "docs", "docs/decisions", "benchmarks"}


if __name__ == "__main__":
    print(settings_table())
