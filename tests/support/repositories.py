"""Real git repositories, made by the git program."""

import hashlib
import os
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

REGULAR, EXECUTABLE, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "40000"
_PERSON = "A. Person <person@example.org> 1700000000 +0000"
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/")


class Entry(Struct, frozen=True):
    """A file in a commit; `content` is a link's target, or the hex commit id of a submodule."""

    content: bytes
    mode: str = REGULAR


Files = Mapping[str, bytes] | Mapping[bytes, bytes | Entry] | Mapping[str, bytes | Entry]


class GitFailed(AssertionError):
    pass


def run_git(folder: Path, *arguments: str | Path, stdin: bytes = b"") -> bytes:
    """The standard output of git, run with nobody's configuration. Raises `GitFailed` with what it complained about."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "A. Person",
        "GIT_AUTHOR_EMAIL": "person@example.org",
        "GIT_AUTHOR_DATE": "1700000000 +0000",
        "GIT_COMMITTER_NAME": "A. Person",
        "GIT_COMMITTER_EMAIL": "person@example.org",
        "GIT_COMMITTER_DATE": "1700000000 +0000",
    }
    done = subprocess.run(["git", *arguments], cwd=folder, input=stdin, env=environment, capture_output=True)
    if done.returncode:
        raise GitFailed(f"git {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class GitRepository:
    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        return run_git(self.path, *arguments, stdin=stdin)

    def line(self, *arguments: str) -> str:
        return self.git(*arguments).decode().strip()

    def resolve(self, name: str) -> str:
        """The hex id of whatever `git rev-parse` understands."""
        return self.line("rev-parse", "--verify", name)

    def commit(self, files: Files, *, branch: str = "main", replace: bool = False) -> str:
        """Commit these files on top of the branch (or with no others, `replace`), without a work tree; the commit's
        hex id."""
        self.git("fast-import", "--quiet", "--force", stdin=self._import_stream(files, branch, replace=replace))
        return self.resolve(f"refs/heads/{branch}")

    @property
    def git_folder(self) -> Path:
        return self.path / ".git" if (self.path / ".git").is_dir() else self.path

    def object_file(self, name: str) -> Path:
        """The loose object that `git rev-parse` finds under this name."""
        full = self.resolve(name)
        return self.git_folder / "objects" / full[:2] / full[2:]

    def write_object(self, kind: str, data: bytes) -> bytes:
        """Write a loose object, whatever git would say to it; its id (20 bytes)."""
        whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
        name = hashlib.sha1(whole).digest()
        file = self.git_folder / "objects" / name.hex()[:2] / name.hex()[2:]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(zlib.compress(whole, 1))
        return name

    def write_tree(self, entries: Mapping[bytes, tuple[str, bytes]]) -> bytes:
        """A tree of names, each with a mode and an id; its id. Nothing is checked or sorted."""
        parts = [b"%s %s\0%s" % (mode.encode(), name, target) for name, (mode, target) in entries.items()]
        return self.write_object("tree", b"".join(parts))

    def commit_tree(self, tree: bytes, *, branch: str = "main") -> str:
        """Make the branch point to a commit of this tree; the commit's hex id."""
        text = f"tree {tree.hex()}\nauthor {_PERSON}\ncommitter {_PERSON}\n\nx\n"
        commit = self.write_object("commit", text.encode()).hex()
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def _import_stream(self, files: Files, branch: str, *, replace: bool) -> bytes:
        parts = [f"commit refs/heads/{branch}\ncommitter {_PERSON}\ndata 1\nx\n".encode()]
        if self.line("for-each-ref", f"refs/heads/{branch}"):
            parts.append(f"from refs/heads/{branch}^0\n".encode())
        if replace:
            parts.append(b"deleteall\n")
        for path, content in files.items():
            entry = content if isinstance(content, Entry) else Entry(content)
            parts.append(_change(path.encode() if isinstance(path, str) else path, entry))
        return b"".join(parts)


def make_repository(path: Path, files: Files | None = None, *, bare: bool = True) -> GitRepository:
    """A new repository with branch `main`, with one commit of the files, if any; with `bare=False`, checked out."""
    path.mkdir(parents=True)
    run_git(path, "init", "--quiet", "--initial-branch=main", *(["--bare"] if bare else []))
    repository = GitRepository(path)
    if files:
        repository.commit(files)
        if not bare:
            repository.git("reset", "--quiet", "--hard")
    return repository


def clone(repository: GitRepository, path: Path, *options: str) -> GitRepository:
    run_git(repository.path, "clone", "--quiet", *options, str(repository.path), str(path))
    return GitRepository(path)


def apply_patch(repository: GitRepository, base: str, patch: bytes, folder: Path) -> str:
    """Apply the patch to a fresh checkout of `base` in the new `folder`; the hex id of the tree that results."""
    fresh = clone(repository, folder, "--no-checkout")
    fresh.git("checkout", "--quiet", "--detach", base)
    fresh.git("apply", "--check", "--index", stdin=patch)
    fresh.git("apply", "--index", stdin=patch)
    return fresh.line("write-tree")


def snapshot(folder: Path) -> Mapping[str, Sequence[object]]:
    """What a folder holds, to the last byte: mode, time of change and digest of everything below it."""
    return {str(path.relative_to(folder)): _state(path) for path in sorted(folder.rglob("*"))}


def _state(path: Path) -> Sequence[object]:
    facts = path.lstat()
    if path.is_symlink():
        return (facts.st_mode, facts.st_mtime_ns, str(path.readlink()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return (facts.st_mode, facts.st_mtime_ns, facts.st_size, digest)


def _change(path: bytes, entry: Entry) -> bytes:
    quoted = b'"' + b"".join(bytes([byte]) if byte in _SAFE else b"\\%03o" % byte for byte in path) + b'"'
    if entry.mode == SUBMODULE:
        return b"M 160000 %s %s\n" % (entry.content, quoted)
    return b"M %s inline %s\ndata %d\n%s\n" % (entry.mode.encode(), quoted, len(entry.content), entry.content)
