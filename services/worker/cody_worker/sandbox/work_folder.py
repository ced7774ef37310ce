"""Where commands work: the tree that they change, and a home and temporary folders that go with it."""

from pathlib import Path

from msgspec import Struct

HOME = "/home/cody"
USER = 1000
ETC_FILES = {
    "passwd": f"cody:x:{USER}:{USER}::{HOME}:/bin/sh\n",
    "group": f"cody:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
"""What stands in /etc of a sandbox; no name server is asked there."""

_PRIVATE = 0o700
_SHARED_MEMORY = "shared-memory"


class WorkFolder(Struct, frozen=True, kw_only=True):
    """All of it lies below `root`, on disk: what a command writes costs no memory, and goes with the folder."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "WorkFolder":
        """In the existing and empty `root`. Raises `OSError`."""
        folder = cls(root=root)
        for path in (folder.tree, folder.home, folder.temporary, folder.shared_memory, folder.etc):
            path.mkdir(mode=_PRIVATE)
        for name, text in ETC_FILES.items():
            (folder.etc / name).write_text(text)
        return folder

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        return self.root / "temporary"

    @property
    def shared_memory(self) -> Path:
        return self.root / _SHARED_MEMORY

    @property
    def etc(self) -> Path:
        return self.root / "etc"
