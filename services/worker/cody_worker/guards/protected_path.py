"""Paths whose change gives more than code: power over builds, reviews, hooks, agents, and what is installed."""

import re
from functools import lru_cache

import pathspec

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.guards.finding import Change, Finding, GuardName, shown
from cody_worker.guards.unsafe_path import without_ignored

PROTECTED_PATHS = (
    # continuous integration
    ".github/workflows/",
    ".github/actions/",
    ".gitlab-ci.yml",
    ".gitlab/ci/",
    ".circleci/",
    "Jenkinsfile*",
    ".travis.yml",
    "azure-pipelines*.yml",
    "azure-pipelines*.yaml",
    ".azure-pipelines/",
    "bitbucket-pipelines.yml",
    ".buildkite/",
    ".drone.yml",
    ".woodpecker.yml",
    ".woodpecker/",
    "appveyor.yml",
    ".appveyor.yml",
    ".teamcity/",
    "buildspec*.yml",
    "cloudbuild.yaml",
    # who reviews, and what updates dependencies
    "CODEOWNERS",
    ".github/dependabot.yml",
    ".github/dependabot.yaml",
    # hooks, and what git itself reads
    ".husky/",
    ".githooks/",
    ".git-hooks/",
    ".pre-commit-config.yaml",
    ".pre-commit-hooks.yaml",
    "lefthook.yml",
    ".lefthook.yml",
    "lefthook.yaml",
    ".lefthook.yaml",
    ".gitmodules",
    # lock files
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pylock.toml",
    "pylock.*.toml",
    "Pipfile.lock",
    "conda-lock.yml",
    "Cargo.lock",
    "go.sum",
    "go.work.sum",
    "Gemfile.lock",
    "gems.locked",
    "composer.lock",
    "gradle.lockfile",
    "buildscript-gradle.lockfile",
    "packages.lock.json",
    "mix.lock",
    "rebar.lock",
    "pubspec.lock",
    "Podfile.lock",
    "Cartfile.resolved",
    "Package.resolved",
    "flake.lock",
    "conan.lock",
    ".terraform.lock.hcl",
    "Chart.lock",
    # settings and orders of agents and editors, which may run commands
    ".claude/",
    ".cursor/",
    ".cursorrules",
    ".vscode/",
    ".devcontainer/",
    ".windsurf/",
    ".windsurfrules",
    ".clinerules",
    ".roo/",
    ".codex/",
    ".gemini/",
    ".aider*",
    ".mcp.json",
    "mcp.json",
    "CLAUDE.md",
    "CLAUDE.local.md",
    "AGENTS.md",
    "GEMINI.md",
    ".github/copilot-instructions.md",
    ".github/instructions/",
)


def protected_path(change: Change, protect: tuple[str, ...], allow_paths: tuple[str, ...]) -> Finding | None:
    """A path is protected in any case of its letters (some file systems know none) and allowed only as it is written.
    Raises `JobFailed` for a pattern that is none."""
    folded = without_ignored(change.path).lower()
    rule = _rule(PROTECTED_PATHS, folded) or _rule(protect, folded)
    if rule is None or _patterns(allow_paths).match_file(change.path):
        return None
    message = f"{shown(change.path)} is protected by the rule {shown(rule)!r}"
    return Finding(guard=GuardName.PROTECTED_PATH, message=message)


def _rule(lines: tuple[str, ...], path: str) -> str | None:
    result = _patterns(tuple(line.lower() for line in lines)).check_file(path)
    return lines[result.index] if result.include and result.index is not None else None


@lru_cache(maxsize=64)
def _patterns(lines: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        message = f"a pattern of protected or allowed paths is wrong: {error}"
        raise JobFailed(FailureCode.INTERNAL_ERROR, message) from error
