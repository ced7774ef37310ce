"""Write one commit, the same one for the same input, into the scratch repository."""

from datetime import UTC, datetime

import pygit2
from pygit2.enums import ObjectType

from cody_worker.git.git_errors import reading
from cody_worker.git.object_store import ObjectStore

_NOT_IN_A_NAME = str.maketrans("", "", "<>\n\0")


def write_commit(store: ObjectStore, *, tree: bytes, parent: bytes, author: str, when: datetime, message: str) -> bytes:
    """The commit's id. `author` is "Name <address>"; `when` is both dates, in whole seconds of UTC."""
    person = f"{_person(author)} {int(when.astimezone(UTC).timestamp())} +0000"
    lines = [f"tree {tree.hex()}", f"parent {parent.hex()}", f"author {person}", f"committer {person}"]
    text = "\n".join([*lines, "", message.replace("\0", "").strip() + "\n"])
    return store.write(ObjectType.COMMIT, text.encode())


def point_branch(scratch: pygit2.Repository, branch: str, commit: bytes) -> None:
    """Raises `ValueError` for a name that git does not take."""
    name = f"refs/heads/{branch}"
    if not pygit2.reference_is_valid_name(name):
        raise ValueError(f"{branch!r} is not a branch name")
    with reading("the scratch repository"):
        scratch.references.create(name, pygit2.Oid(raw=commit), force=True)


def _person(author: str) -> str:
    """As a commit has it, whatever a setting's text is: name and address without what would end them early."""
    name, _, address = author.partition("<")
    return f"{name.translate(_NOT_IN_A_NAME).strip() or 'Cody Batch'} <{address.translate(_NOT_IN_A_NAME).strip()}>"
