"""Git repositories made of the sources of installed third-party packages: real code, nothing of it committed."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    ("anthropic", "types/beta", 400),
    ("anthropic", "types/messages", 100),
    ("anthropic", "resources", 100),
    ("anthropic", "lib", 60),
    ("asyncpg", "", 60),
    ("google", "", 150),
    ("httpx", "", 60),
    ("httpx2", "", 60),
    ("litestar", "", 400),
    ("pathspec", "", 60),
    ("polyfactory", "", 60),
    ("pydantic", "", 120),
    ("pydantic_settings", "", 60),
    ("pygit2", "", 60),
    ("_pytest", "", 90),
    ("rich", "", 110),
    ("rich_click", "", 60),
    ("urllib3", "", 60),
)
"""(import package, folder inside it, files at most): 18 repositories, together more than 1,500 files."""

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Sample",
    "GIT_AUTHOR_EMAIL": "sample@localhost",
    "GIT_COMMITTER_NAME": "Sample",
    "GIT_COMMITTER_EMAIL": "sample@localhost",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def make_library_repositories(root: Path, packages: tuple[tuple[str, str, int], ...] = PACKAGES) -> list[str]:
    """Make one repository per package below `root/libraries`; their names, `libraries/<package>`."""
    return [_make(root, package, folder, limit) for package, folder, limit in packages]


def git(repository: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """The output of a git command; raises with git's own words when it fails."""
    environment = {**_ENVIRONMENT, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], input=stdin, capture_output=True, check=False, env=environment
    )
    if done.returncode:
        raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def _make(root: Path, package: str, folder: str, limit: int) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0]) / folder
    name = f"libraries/{package.strip('_')}{'-' + folder.replace('/', '-') if folder else ''}"
    target = root / name
    for file in sorted(source.rglob("*.py"))[:limit]:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    git(target, "init", "--quiet", "--initial-branch=main")
    git(target, "add", "--all", "--force")
    git(target, "commit", "--quiet", "--message=sources")
    return name
