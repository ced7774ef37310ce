"""What has to be done in a process of its own: in one whose forks begin with a thread (OpenTelemetry's batch processors
start theirs again there, even after their shutdown) no child can enter a user namespace.

    alone.py make LAYOUT       make the database's folder
    alone.py enter COMMAND …   become the command, in a user namespace
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cody_backends.postgres.embedded.database_folder import make_database_folder
from cody_backends.postgres.embedded.isolation import entering
from cody_backends.postgres.embedded.layout import Isolation, Layout
from cody_backends.postgres.embedded.place import prepare_place
from cody_backends.postgres.embedded.programs import find_programs

_PROGRAM = (sys.executable, str(Path(__file__)))


def making(layout: Layout) -> Sequence[str]:
    return [*_PROGRAM, "make", msgspec.json.encode(layout).decode()]


def in_a_namespace() -> Sequence[str]:
    """What a command is put behind."""
    return [*_PROGRAM, "enter"]


def main(action: str, *rest: str) -> None:
    if action == "make":
        make_database_folder(prepare_place(msgspec.json.decode(rest[0], type=Layout), find_programs()))
        return
    # What is entered here is entered for good; the parent that is to be outlived by nobody is the test itself.
    entering(Isolation.USER_NAMESPACE, parent=os.getppid())()
    os.execvp(rest[0], rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
