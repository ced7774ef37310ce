"""A bare repository on disk: what the API reads from it and writes to it."""

import os
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pygit2
from msgspec import Struct
from pygit2.enums import FileMode


class Author(Struct, frozen=True, kw_only=True):
    name: str
    email: str
    at: datetime

    def signature(self) -> pygit2.Signature:
        return pygit2.Signature(self.name, self.email, int(self.at.timestamp()), 0)


@contextmanager
def opened(path: Path) -> Generator[pygit2.Repository]:
    repository = pygit2.Repository(str(path))
    try:
        yield repository
    finally:
        repository.free()


def run_git(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    """git with nobody's configuration."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_TERMINAL_PROMPT": "0",
    }
    done = subprocess.run(["git", *arguments], input=stdin, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {arguments}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def make_bare(path: Path, source: Path | str | None, default_branch: str) -> None:
    """A new bare repository, with all branches and tags of another one if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        pygit2.init_repository(str(path), bare=True, initial_head=default_branch)
        return
    run_git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", path)
    refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    run_git("-C", path, "fetch", "--quiet", "--no-tags", str(source), *refs)


def fetch(path: Path, source: Path, ref: str, into: str) -> None:
    run_git("-C", path, "fetch", "--quiet", "--no-tags", str(source), f"+{ref}:{into}")


def branch_head(path: Path, branch: str) -> str | None:
    return ref_target(path, f"refs/heads/{branch}")


def ref_target(path: Path, ref: str) -> str | None:
    with opened(path) as repository:
        found = repository.references.get(ref)
        return None if found is None else str(found.resolve().target)


def commit_named(path: Path, name: str) -> str | None:
    """Whatever `git rev-parse` would find a commit for."""
    with opened(path) as repository:
        try:
            return str(repository.revparse_single(name).peel(pygit2.Commit).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None


def branches(path: Path) -> dict[str, str]:
    with opened(path) as repository:
        names = [str(name) for name in repository.references if str(name).startswith("refs/heads/")]
        return {name.removeprefix("refs/heads/"): str(repository.references[name].target) for name in sorted(names)}


def set_ref(path: Path, ref: str, commit: str) -> None:
    with opened(path) as repository:
        repository.references.create(ref, commit, force=True)


def delete_ref(path: Path, ref: str) -> None:
    with opened(path) as repository:
        repository.references.delete(ref)


def commit_files(
    path: Path, branch: str, files: Mapping[str, bytes | None], *, message: str, author: Author, parent: str | None
) -> str:
    """Commit these files (None: removed) on top of `parent` and make the branch point to it; the commit's id."""
    with opened(path) as repository:
        index = pygit2.Index()
        if parent is not None:
            index.read_tree(repository[parent].peel(pygit2.Commit).tree)
        for name, content in files.items():
            _put(repository, index, name, content)
        signature = author.signature()
        parents = [] if parent is None else [pygit2.Oid(hex=parent)]
        commit = repository.create_commit(None, signature, signature, message, index.write_tree(repository), parents)
        repository.references.create(f"refs/heads/{branch}", commit, force=True)
        return str(commit)


def _put(repository: pygit2.Repository, index: pygit2.Index, name: str, content: bytes | None) -> None:
    if content is None:
        index.remove(name)
        return
    mode = index[name].mode if name in index else FileMode.BLOB
    index.add(pygit2.IndexEntry(name, repository.create_blob(content), mode))


def file_at(path: Path, commit: str, name: str) -> tuple[str, int, bytes] | None:
    """Id, mode and content of a file; the content of a folder is empty."""
    with opened(path) as repository:
        tree = repository[commit].peel(pygit2.Commit).tree
        if name not in tree:
            return None
        found = tree[name]
        return str(found.id), int(found.filemode), found.data if isinstance(found, pygit2.Blob) else b""


def folder_at(path: Path, commit: str, name: str) -> Sequence[tuple[str, str, int, int]]:
    """Name, id, mode and size of what is in a folder."""
    with opened(path) as repository:
        tree = repository[commit].peel(pygit2.Commit).tree
        found = tree[name] if name else tree
        assert isinstance(found, pygit2.Tree)
        return [
            (str(entry.name), str(entry.id), int(entry.filemode), entry.size if isinstance(entry, pygit2.Blob) else 0)
            for entry in found
        ]


def all_files(path: Path, commit: str) -> Sequence[tuple[str, str, bytes]]:
    """Path, id and content of each file."""
    with opened(path) as repository:
        return list(_files_below(repository[commit].peel(pygit2.Commit).tree, ""))


def _files_below(tree: pygit2.Tree, prefix: str) -> Iterator[tuple[str, str, bytes]]:
    for entry in tree:
        if isinstance(entry, pygit2.Tree):
            yield from _files_below(entry, f"{prefix}{entry.name}/")
        elif isinstance(entry, pygit2.Blob) and entry.filemode != FileMode.LINK:
            yield f"{prefix}{entry.name}", str(entry.id), entry.data


def size_of(path: Path) -> int:
    """Bytes of the objects."""
    return sum(file.stat().st_size for file in (path / "objects").rglob("*") if file.is_file())
