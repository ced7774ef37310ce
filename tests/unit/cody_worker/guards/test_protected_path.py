"""Files that give power over builds, reviews, hooks and agents change only where the job allows it."""

from collections.abc import Sequence

import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import JobType
from cody_worker.guards import GuardName, GuardRules
from tests.unit.cody_worker.guards.changes import found


def _found(path: str, protect: Sequence[str] = (), allow: Sequence[str] = ()) -> bool:
    rules = GuardRules(
        job_type=JobType.CODE_PATTERN_UPDATE, prompt="", protect=tuple(protect), allow_paths=tuple(allow)
    )
    return bool(found(GuardName.PROTECTED_PATH, path, "a\n", "b\n", rules))


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".GitHub/Workflows/ci.yml",
        ".github/workflows/deep/er.sh",
        ".github/actions/build/action.yml",
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        "Jenkinsfile",
        "ci/Jenkinsfile.release",
        "azure-pipelines.yml",
        "CODEOWNERS",
        ".github/CODEOWNERS",
        "docs/CODEOWNERS",
        "docs/codeowners",
        ".gitlab/CODEOWNERS",
        ".husky/pre-commit",
        ".githooks/pre-push",
        ".pre-commit-config.yaml",
        ".gitmodules",
        "package-lock.json",
        "app/web/yarn.lock",
        "Cargo.lock",
        "go.sum",
        "poetry.lock",
        "gradle.lockfile",
        ".claude/settings.json",
        "sub/.claude/settings.local.json",
        ".vscode/tasks.json",
        ".cursor/rules/a.mdc",
        "CLAUDE.md",
        "packages/a/claude.md",
        "AGENTS.md",
        ".mcp.json",
        ".devcontainer/devcontainer.json",
    ],
)
def test_these_are_protected_in_any_case_and_folder(path: str) -> None:
    assert _found(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/a.py",
        ".github/ISSUE_TEMPLATE/bug.md",
        "github/workflows/ci.yml",
        "docs/workflows/a.md",
        "CODEOWNERS.md",
        "settings.json",
        "app/settings.json",
        "src/agents.py",
        "docs/about-claude.md",
        "locks/yarn.lock.md",
        "hooks/use_state.ts",
        "go.mod",
        "package.json",
    ],
)
def test_these_only_look_alike(path: str) -> None:
    assert not _found(path)


def test_a_job_protects_more_and_allows_some() -> None:
    assert _found("db/schema.sql", protect=["/db/"])
    assert _found("DB/Schema.sql", protect=["/db/*.SQL"])
    assert not _found("sub/db/schema.sql", protect=["/db/"])
    assert not _found(".github/workflows/ci.yml", allow=[".github/workflows/ci.yml"])
    assert _found(".github/workflows/other.yml", allow=[".github/workflows/ci.yml"])
    assert not _found("db/schema.sql", protect=["/db/"], allow=["db/*.sql"])
    assert not _found("web/yarn.lock", allow=["*.lock"])


def test_what_is_allowed_is_allowed_as_it_is_written() -> None:
    assert _found(".GITHUB/workflows/ci.yml", allow=[".github/workflows/ci.yml"])
    assert _found(".git\u200dhub/workflows/ci.yml", allow=[".github/"])


def test_a_pattern_of_the_job_cannot_take_the_protection_of_others_away() -> None:
    assert _found("CODEOWNERS", protect=["!CODEOWNERS", "!*"])


def test_deleting_or_making_a_protected_file_is_a_change_too() -> None:
    assert found(GuardName.PROTECTED_PATH, "CODEOWNERS", "* @a\n", None)
    assert found(GuardName.PROTECTED_PATH, "AGENTS.md", None, "Do.\n")


def test_a_wrong_pattern_ends_the_run_and_not_the_worker() -> None:
    with pytest.raises(JobFailed):
        _found("a", protect=["!"])
